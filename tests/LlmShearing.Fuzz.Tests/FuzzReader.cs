// One reader under test: how its valid files are made, which of them is damaged, and how it is read.
namespace LlmShearing.Fuzz.Tests;

/// <summary>How the damaged file is built, so that mutations also reach what lies behind the first check.</summary>
internal enum FuzzShape
{
    /// <summary>Nothing is known but bytes.</summary>
    Bytes,

    /// <summary>One JSON value.</summary>
    Json,

    /// <summary>A JSON value a line.</summary>
    JsonLines,

    /// <summary>Safetensors: length of the header, JSON, data.</summary>
    Safetensors,

    /// <summary>A regular expression: every other copy is made anew, not from the valid one.</summary>
    Expression,
}

/// <param name="Name">Name in reports and for a replay.</param>
/// <param name="File">The file that is damaged, below the folder.</param>
/// <param name="Shape">How it is built.</param>
/// <param name="Build">Writes the valid files into an empty folder.</param>
/// <param name="Read">Reads them through the library.</param>
internal sealed record FuzzReader(string Name, string File, FuzzShape Shape, Action<string> Build, Action<string> Read)
{
    /// <summary>Mends checksums of a damaged copy, where the reader would otherwise stop at them; null where there are none.</summary>
    public Func<byte[], byte[]>? Repair { get; init; }

    /// <summary>Managed memory that one input may take, in bytes, beside 64 times the input's size.</summary>
    public long MaxBytes { get; init; } = 32L << 20;
}
