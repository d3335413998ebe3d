using System.Reflection;

namespace LlmShearing.Support;

/// <summary>The version of the library.</summary>
public static class LibraryVersion
{
    /// <summary>Version of this library for provenance, without build metadata.</summary>
    public static string Text { get; } =
        (typeof(LibraryVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0").Split('+')[0];
}
