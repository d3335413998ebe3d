// Token data of a verb: text files, or ids ready made.
using System.CommandLine;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Terminal;

namespace LlmShearing.Cli.Options;

internal sealed class DataOptions(string use)
{
    public Option<string[]> Files { get; } = Opt.Texts("--file", "FILE", $"Text to {use}: plain text, or JSON Lines (.jsonl), also .gz and .zst. May be repeated.");

    public Option<string?> Field { get; } = Opt.Text("--field", "NAME", $"Member of the JSON Lines records that holds the text. [default: {TextFile.DefaultField}]");

    public Option<string?> Ids { get; } = Opt.Text("--ids", "FILE", $"Token ids to {use}, instead of text: JSON, an array of arrays.");

    public Option[] All => [Files, Field, Ids];

    public bool IsGiven(Invocation run) => run.Get(Ids) is not null || run.Get(Files) is { Length: > 0 };

    /// <summary>The ids file's rows, or null when text was given.</summary>
    public IReadOnlyList<int[]>? Rows(Invocation run)
    {
        if (run.Get(Ids) is not { } path)
            return null;
        if (run.Get(Files) is { Length: > 0 })
            throw new UsageException("Both --ids and --file are given. Give one of them.");
        List<int[]> rows = IdsFile.Read(path);
        return rows.Count > 0 ? rows : throw new UsageException($"{path} has no rows. Give at least one array of token ids.");
    }

    /// <summary>The text files, in order.</summary>
    public IReadOnlyList<TextFile> Texts(Invocation run)
    {
        string[] paths = run.Get(Files) ?? [];
        return paths.Length > 0 ? [.. paths.Select(p => TextFile.Read(p, run.Get(Field)))] : throw Missing();
    }

    public static UsageException Missing() => new("There is no text to read. Give --file with text or JSON Lines, or --ids with token ids.");
}
