// What users get: the packages depend on NuGet TorchSharp, never on the drop-in or on a libtorch flavour.
using System.Diagnostics;
using System.IO.Compression;
using System.Reflection;
using System.Xml.Linq;
using LlmShearing.Testing;

namespace LlmShearing.Tests.Packaging;

public class NuspecTests
{
    [Theory]
    [InlineData("LlmShearing.Core")]
    [InlineData("LlmShearing.Masks")]
    [InlineData("LlmShearing.Data")]
    [InlineData("LlmShearing.Lora")]
    public void Pack_AnySupplier_DependsOnTorchSharpPackageRange(string project)
    {
        string folder = Directory.CreateTempSubdirectory("nuspec").FullName;
        try
        {
            string configuration = typeof(NuspecTests).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
            string path = Path.Combine(Goldens.RepositoryRoot, "src", project, project + ".csproj");
            Run("dotnet", "pack", path, "-c", configuration, "-o", folder, "-v", "quiet", "--nologo");
            using ZipArchive package = ZipFile.OpenRead(Directory.GetFiles(folder, "*.nupkg").Single());
            XDocument nuspec;
            using (Stream stream = package.Entries.Single(e => e.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open())
                nuspec = XDocument.Load(stream);
            var dependencies = nuspec.Descendants().Where(e => e.Name.LocalName == "dependency")
                .ToDictionary(e => e.Attribute("id")!.Value, e => e.Attribute("version")!.Value);
            Assert.Equal("[0.105.2, 0.108.0)", dependencies["TorchSharp"].Replace("0.108)", "0.108.0)", StringComparison.Ordinal));
            Assert.DoesNotContain(dependencies.Keys, id => id.StartsWith("TorchSharp-", StringComparison.Ordinal) || id.StartsWith("libtorch", StringComparison.Ordinal));
            Assert.DoesNotContain(package.Entries, e => Path.GetFileName(e.FullName) is "TorchSharp.dll" || e.FullName.EndsWith(".so", StringComparison.Ordinal));
            Assert.Contains(package.Entries, e => e.FullName == "README.md");
            Assert.Contains(package.Entries, e => e.FullName == $"lib/net10.0/{project}.xml");
            Assert.Equal("MIT", nuspec.Descendants().Single(e => e.Name.LocalName == "license").Value);
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{output}\n{errors.Result}");
    }
}
