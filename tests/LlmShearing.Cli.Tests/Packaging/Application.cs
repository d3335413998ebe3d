// A console application outside the repository that references one of the packages and a libtorch.
using LlmShearing.Testing;

namespace LlmShearing.Cli.Tests.Packaging;

internal static class Application
{
    public static void Write(TemporaryFolder folder, PackedLibraries packed)
    {
        foreach (string name in (string[])["Directory.Build.props", "Directory.Build.targets", "Directory.Packages.props"])
            File.WriteAllText(folder[name], "<Project />");
        File.WriteAllText(folder["nuget.config"], $"""
            <configuration>
              <packageSources>
                <add key="packed" value="{packed.Packages}" />
              </packageSources>
            </configuration>
            """);

        // The machine's packages are read and never written; nothing of half a gigabyte is copied.
        File.WriteAllText(folder["app.csproj"], $"""
            <Project>
              <PropertyGroup>
                <Kind Condition="'$(Kind)' == ''">build</Kind>
                <BaseIntermediateOutputPath>obj/$(Kind)/</BaseIntermediateOutputPath>
              </PropertyGroup>
              <Import Project="Sdk.props" Sdk="Microsoft.NET.Sdk" />
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <EnableDefaultCompileItems>false</EnableDefaultCompileItems>
                <OutputPath>out/$(Kind)/</OutputPath>
                <AppendTargetFrameworkToOutputPath>false</AppendTargetFrameworkToOutputPath>
                <AppendRuntimeIdentifierToOutputPath>false</AppendRuntimeIdentifierToOutputPath>
                <UseAppHost>false</UseAppHost>
                <NuGetAudit>false</NuGetAudit>
                <RestorePackagesPath>packages</RestorePackagesPath>
                <RestoreFallbackFolders>{PackedLibraries.Cache}</RestoreFallbackFolders>
                <CreateHardLinksForCopyLocalIfPossible>true</CreateHardLinksForCopyLocalIfPossible>
                <CreateHardLinksForPublishFilesIfPossible>true</CreateHardLinksForPublishFilesIfPossible>
                <CreateSymbolicLinksForCopyLocalIfPossible>true</CreateSymbolicLinksForCopyLocalIfPossible>
                <CreateSymbolicLinksForPublishFilesIfPossible>true</CreateSymbolicLinksForPublishFilesIfPossible>
              </PropertyGroup>
              <ItemGroup>
                <Compile Include="Program.cs" />
                <PackageReference Include="LlmShearing" Version="{packed.Version}" />
                <PackageReference Include="libtorch-cpu-linux-x64" Version="2.10.0" />
              </ItemGroup>
              <Import Project="Sdk.targets" Sdk="Microsoft.NET.Sdk" />
            </Project>
            """);
        File.WriteAllText(folder["Program.cs"], """
            using LlmShearing;
            using static TorchSharp.torch;

            try
            {
                var config = new LlamaConfig
                {
                    Shape = new LlamaShape { VocabSize = 32, HiddenSize = 16, HeadDim = 4, Layers = [new LayerShape(4, 2, 24)], TiedEmbeddings = true },
                    RmsNormEps = 1e-5,
                    MaxPositionEmbeddings = 64,
                };
                using LlamaModel model = LlamaModel.Random(config, seed: 1);
                using Tensor ids = tensor(new long[] { 1, 2, 3, 4, 5, 6 }).reshape(1, 6);
                using Tensor logits = model.forward(ids);
                Console.Write(string.Join(' ', logits.shape) + "\n");
                return 0;
            }
            catch (ShearingException e)
            {
                Console.Error.Write($"{e.GetType().Name}: {e.Message}\n");
                return 3;
            }
            """);
    }

    public static (int Code, string Out, string Error) Run(string folder)
    {
        ShearResult result = Processes.Run(folder, NoPackages(folder), "dotnet", Path.Combine(folder, "app.dll"));
        return (result.Code, result.Out, result.Error);
    }

    /// <summary>An environment in which no packages are found: TorchSharp's loader looks for libtorch there as well.</summary>
    public static Dictionary<string, string> NoPackages(string folder) => new() { ["NUGET_PACKAGES"] = Path.Combine(folder, "no-packages"), ["HOME"] = folder };
}
