using System.Reflection;

namespace LlmShearing.Cli.Output;

internal static class LibraryVersion
{
    /// <summary>For example 0.1.0; a build's commit suffix is left out.</summary>
    public static string Text { get; } =
        typeof(LibraryVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";
}
