// The libraries, packed once under a version of their own, from the assemblies that are under test.
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using LlmShearing.Testing;

namespace LlmShearing.Cli.Tests.Packaging;

public sealed class PackedLibraries : IDisposable
{
    public static readonly string[] Names =
    [
        "LlmShearing", "LlmShearing.Core", "LlmShearing.Data", "LlmShearing.Lora", "LlmShearing.Masks", "LlmShearing.Primitives", "LlmShearing.Tokenizers", "LlmShearing.Training",
    ];

    private static readonly string s_configuration = typeof(PackedLibraries).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;

    private readonly TemporaryFolder _folder = new();

    public PackedLibraries()
    {
        string artifacts = _folder["artifacts"];
        foreach (string name in Names)
        {
            string built = Built(name), copy = Path.Combine(artifacts, "bin", name, Path.GetFileName(built));
            Directory.CreateDirectory(copy);
            foreach (string extension in (string[])[".dll", ".xml", ".pdb"])
                File.Copy(Path.Combine(built, name + extension), Path.Combine(copy, name + extension));
        }

        // One process for all: restore, then pack without building, beside the repository's own artifacts.
        string projects = string.Join(';', Names.Select(n => Path.Combine(Goldens.RepositoryRoot, "src", n, n + ".csproj")));
        File.WriteAllText(_folder["pack.proj"], $"""
            <Project>
              <PropertyGroup>
                <Common>Version={Version};Configuration={s_configuration};ArtifactsPath={artifacts};PackageOutputPath={Packages};NoBuild=true;UseSharedCompilation=false</Common>
              </PropertyGroup>
              <Target Name="Build">
                <MSBuild Projects="{projects}" Targets="Restore" Properties="$(Common);ExcludeRestorePackageImports=true;MSBuildRestoreSessionId=tests" />
                <MSBuild Projects="{projects}" Targets="Pack" Properties="$(Common)" />
              </Target>
            </Project>
            """);
        Processes.Dotnet(_folder.Path, "msbuild", "pack.proj", "-nologo", "-v:quiet");
    }

    public string Version { get; } = "0.1.0-test." + DateTime.UtcNow.Ticks.ToString(CultureInfo.InvariantCulture);

    public string Packages => _folder["packages"];

    /// <summary>The folder of the machine's packages.</summary>
    public static string Cache { get; } = MachineCache();

    /// <summary>The output folder of a project of this repository.</summary>
    public static string Built(string project) => Path.Combine(Goldens.RepositoryRoot, "artifacts", "bin", project, s_configuration.ToLowerInvariant());

    public string Package(string name) => Path.Combine(Packages, $"{name}.{Version}.nupkg");

    public void Dispose() => _folder.Dispose();

    private static string MachineCache()
    {
        using FileStream assets = File.OpenRead(Path.Combine(Goldens.RepositoryRoot, "artifacts", "obj", "LlmShearing.Cli", "project.assets.json"));
        using JsonDocument document = JsonDocument.Parse(assets);
        return document.RootElement.GetProperty("packageFolders").EnumerateObject().First().Name;
    }
}
