// What users get: packages that depend on TorchSharp and on no libtorch, and a build step that makes TorchSharp load on older Linux systems.
using System.IO.Compression;
using System.Security.Cryptography;
using System.Xml.Linq;
using LlmShearing.Testing;

namespace LlmShearing.Cli.Tests.Packaging;

public sealed class PackageTests(PackedLibraries packed) : IClassFixture<PackedLibraries>
{
    private const string Shim = "libLibTorchSharp.so";

    private static readonly string s_original = Path.Combine(PackedLibraries.Cache, "torchsharp", "0.107.0", "runtimes", "linux-x64", "native", Shim);

    // Those that need no TorchSharp; and what each package brings of ours.
    private static readonly string[] s_plain = ["LlmShearing.Primitives", "LlmShearing.Tokenizers"];

    private static readonly Dictionary<string, string[]> s_brings = new()
    {
        ["LlmShearing.Primitives"] = [],
        ["LlmShearing.Tokenizers"] = ["LlmShearing.Primitives"],
        ["LlmShearing.Core"] = ["LlmShearing.Primitives"],
        ["LlmShearing.Training"] = ["LlmShearing.Core"],
        ["LlmShearing.Masks"] = ["LlmShearing.Training"],
        ["LlmShearing.Lora"] = ["LlmShearing.Training"],
        ["LlmShearing.Data"] = ["LlmShearing.Tokenizers", "LlmShearing.Training"],
        ["LlmShearing"] = ["LlmShearing.Data", "LlmShearing.Lora", "LlmShearing.Masks"],
    };

    public static TheoryData<string> Libraries => [.. PackedLibraries.Names];

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Package_DependsOnOurOwnInLockstep_AndOnNoLibtorch(string project)
    {
        using ZipArchive package = ZipFile.OpenRead(packed.Package(project));
        XDocument nuspec;
        using (Stream stream = package.Entries.Single(e => e.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open())
            nuspec = XDocument.Load(stream);
        var dependencies = nuspec.Descendants().Where(e => e.Name.LocalName == "dependency").ToDictionary(e => e.Attribute("id")!.Value, e => e.Attribute("version")!.Value);
        if (s_plain.Contains(project))
            Assert.DoesNotContain("TorchSharp", dependencies.Keys);
        else
            Assert.Equal("[0.107.0, 0.108.0)", dependencies["TorchSharp"].Replace("0.108)", "0.108.0)", StringComparison.Ordinal));
        string[] ours = [.. dependencies.Keys.Where(id => id.StartsWith("LlmShearing", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        Assert.Equal(s_brings[project], ours);
        Assert.All(ours, id => Assert.Equal(packed.Version, dependencies[id]));
        Assert.DoesNotContain(dependencies.Keys, id => id.StartsWith("TorchSharp-", StringComparison.Ordinal) || id.StartsWith("libtorch", StringComparison.Ordinal));
        Assert.DoesNotContain(package.Entries, e => Path.GetFileName(e.FullName) is "TorchSharp.dll" || e.FullName.EndsWith(".so", StringComparison.Ordinal));
        Assert.Contains(package.Entries, e => e.FullName == "README.md");
        Assert.Contains(package.Entries, e => e.FullName == $"lib/net10.0/{project}.xml");
        Assert.Equal("MIT", nuspec.Descendants().Single(e => e.Name.LocalName == "license").Value);
    }

    [Fact]
    public void CorePackage_HasTheBuildStep()
    {
        using ZipArchive package = ZipFile.OpenRead(packed.Package("LlmShearing.Core"));
        Assert.Equal(
            ["buildTransitive/LlmShearing.Core.targets", "buildTransitive/WeakenVersionNeeds.cs"],
            package.Entries.Select(e => e.FullName).Where(n => n.StartsWith("build", StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal));
    }

    [LinuxFact]
    public void Application_OfThePackages_BuildsRunsAndPublishes()
    {
        string hash = Hash(s_original);
        using var folder = new TemporaryFolder();
        Application.Write(folder, packed);

        // As it is: the step decides by this machine's libstdc++.
        Processes.Dotnet(folder.Path, "build", "-c", "Release", "-v", "quiet");
        Assert.Equal((0, "1 6 32\n", ""), Application.Run(folder["out/build"]));
        Processes.Dotnet(folder.Path, "publish", "-c", "Release", "-v", "quiet", "--no-build", "-o", folder["portable"]);
        Assert.Equal((0, "1 6 32\n", ""), Application.Run(folder["portable"]));

        // For older systems, and one platform.
        Processes.Dotnet(folder.Path, "publish", "-c", "Release", "-v", "quiet", "-r", "linux-x64", "--no-self-contained", "-p:LlmShearingWeakenTorchSharp=true", "-p:Kind=single", "-o", folder["single"]);
        Assert.Equal((0, "1 6 32\n", ""), Application.Run(folder["single"]));
        AssertWeakened(folder["single/" + Shim]);

        // Switched off: the file as it came, and where it does not load, one message that helps.
        Processes.Dotnet(folder.Path, "build", "-c", "Release", "-v", "quiet", "-p:LlmShearingWeakenTorchSharp=false", "-p:Kind=off");
        Assert.Equal(hash, Hash(folder["out/off/runtimes/linux-x64/native/" + Shim]));
        (int code, _, string error) = Application.Run(folder["out/off"]);
        if (code != 0)
        {
            Assert.StartsWith("TorchUnavailableException: TorchSharp's native library asks for GLIBCXX_3.4.32", error, StringComparison.Ordinal);
            Assert.Contains("LlmShearingWeakenTorchSharp=true", error, StringComparison.Ordinal);
            AssertWeakened(folder["portable/runtimes/linux-x64/native/" + Shim]);
        }

        // Without libtorch.
        File.Delete(folder["single/libtorch_cpu.so"]);
        (code, _, error) = Application.Run(folder["single"]);
        Assert.Equal(3, code);
        Assert.Contains("libtorch-cpu-linux-x64", error, StringComparison.Ordinal);
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(hash, Hash(s_original));
    }

    [LinuxFact]
    public void Tool_WithoutLibtorch_EndsWithOneLine()
    {
        using var folder = new TemporaryFolder();
        foreach (string file in Directory.GetFiles(PackedLibraries.Built("LlmShearing.Cli")))
            File.Copy(file, folder[Path.GetFileName(file)]);
        File.Copy(Path.Combine(PackedLibraries.Built("LlmShearing.Cli"), "runtimes", "linux-x64", "native", Shim), folder[Shim]);
        ShearResult result = Processes.Run(folder.Path, Application.NoPackages(folder.Path), "dotnet", "LlmShearing.Cli.dll", "generate", Shear.Demo, "--prompt", "a");
        Assert.Equal((1, ""), (result.Code, result.Out));
        Assert.StartsWith("shear: The application comes without libtorch", result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [LinuxFact]
    public void BuildStep_GivenOtherFiles_WarnsAndLeavesThem()
    {
        using var folder = new TemporaryFolder();
        byte[] original = File.ReadAllBytes(s_original);
        byte[] noise = [.. original];
        new Random(1).NextBytes(noise.AsSpan(64));
        byte[] far = [.. original];
        far.AsSpan(40, 8).Fill(0x7f);   // the table of sections: outside the file
        (string Name, byte[] Content)[] files =
        [
            ("empty.so", []), ("text.so", "no library"u8.ToArray()), ("head.so", original[..64]), ("half.so", original[..(original.Length / 2)]),
            ("end.so", original[..^32]), ("noise.so", noise), ("far.so", far),
        ];
        foreach ((string name, byte[] content) in files)
            folder.File(name, content);
        folder.File("good.so", original);
        File.WriteAllText(folder["step.proj"], $"""
            <Project>
              <PropertyGroup>
                <LlmShearingWeakenTorchSharp>true</LlmShearingWeakenTorchSharp>
              </PropertyGroup>
              <Import Project="{Path.Combine(Goldens.RepositoryRoot, "src", "LlmShearing.Core", "build", "LlmShearing.Core.targets")}" />
              <ItemGroup>
                <Library Include="{string.Join(';', files.Select(f => f.Name))};good.so" />
              </ItemGroup>
              <Target Name="Step">
                <WeakenVersionNeeds Libraries="@(Library)" OutputFolder="copies" Force="true">
                  <Output TaskParameter="Weakened" ItemName="Copy" />
                </WeakenVersionNeeds>
                <Message Importance="high" Text="copies: @(Copy)" />
              </Target>
            </Project>
            """);
        string output = Processes.Dotnet(folder.Path, "msbuild", "step.proj", "-nologo", "-t:Step");
        foreach ((string name, byte[] content) in files)
        {
            Assert.Equal(content, File.ReadAllBytes(folder[name]));
            if (name != "noise.so")
                Assert.Contains($"{name} is no 64-bit ELF library that can be read", output, StringComparison.Ordinal);
        }

        Assert.Contains("copies: " + Path.Combine("copies", "good.so"), output, StringComparison.Ordinal);
        AssertWeakened(folder["copies/good.so"]);
    }

    // One bit of one byte: VER_FLG_WEAK of one version.
    private static void AssertWeakened(string path)
    {
        byte[] original = File.ReadAllBytes(s_original), copy = File.ReadAllBytes(path);
        Assert.Equal(original.Length, copy.Length);
        Assert.Equal([2], original.Zip(copy, (a, b) => a ^ b).Where(x => x != 0));
    }

    private static string Hash(string path)
    {
        using FileStream file = File.OpenRead(path);
        return Convert.ToHexString(SHA256.HashData(file));
    }
}
