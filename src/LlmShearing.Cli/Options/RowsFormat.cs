// The formats that rows are written in, for the verbs that write them.
using System.CommandLine;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Formats;

namespace LlmShearing.Cli.Options;

internal static class RowsFormat
{
    public static Option<string?> Option(string shown) =>
        Opt.Choice("--format", $"Rows as this library's shards, as MDS of mosaicml-streaming by LLM-Shearing's convention, or as one NumPy array a domain. [default: {shown}]", "own", "mds", "npy");

    /// <summary>Null for this library's own shards.</summary>
    public static TokenRowsFormat? Parse(string? name) => name switch
    {
        "mds" => TokenRowsFormat.Mds,
        "npy" => TokenRowsFormat.Npy,
        _ => null,
    };

    public static string PathOf(string folder, string domain, TokenRowsFormat format) => Path.Combine(folder, format == TokenRowsFormat.Npy ? domain + ".npy" : domain);

    /// <summary>Refuses to write where something is, before any work is done.</summary>
    public static void EnsureFree(string folder, string domain, TokenRowsFormat format)
    {
        string path = PathOf(folder, domain, format);
        if (RowsOnDisk.Exist(path))
            throw new UsageException($"'{path}' holds rows already. Choose another --out or remove it.");
    }
}
