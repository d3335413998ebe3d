// What token rows on disk do not say themselves, for the verbs that read them.
using System.CommandLine;
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;

namespace LlmShearing.Cli.Options;

internal sealed class RowsOptions
{
    public Option<string?> Dtype { get; } = Opt.Choice(
        "--mds-dtype", "Type of the ids in MDS columns of raw bytes, which MDS does not state. [default: uint16, refused where the ids look otherwise]", "uint16", "int16", "int32", "uint32", "int64", "uint64", "uint8", "int8");

    public Option[] All => [Dtype];

    /// <summary>Opens every domain of a folder; the caller disposes them.</summary>
    public IReadOnlyList<ITokenRows> OpenDomains(Invocation run, string folder) =>
        TokenRows.OpenDomains(folder, new TokenRowsOptions { Dtype = run.Get(Dtype) is { } name ? Enum.Parse<TokenDtype>(name, ignoreCase: true) : null });
}
