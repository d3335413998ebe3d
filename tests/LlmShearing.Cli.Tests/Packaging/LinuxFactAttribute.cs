// Facts about the build step, which matters on Linux alone.
namespace LlmShearing.Cli.Tests.Packaging;

/// <summary>A fact about TorchSharp's shared library for Linux x64; skipped elsewhere.</summary>
public sealed class LinuxFactAttribute : FactAttribute
{
    public LinuxFactAttribute()
    {
        if (!OperatingSystem.IsLinux() || System.Runtime.InteropServices.RuntimeInformation.OSArchitecture != System.Runtime.InteropServices.Architecture.X64)
            Skip = "The build step and its library are for Linux x64.";
    }
}
