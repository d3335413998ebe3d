// The perplexity protocol, and text turned into the rows that it asks for.
using System.CommandLine;
using LlmShearing.Cli.Terminal;
using LlmShearing.Evaluation;
using LlmShearing.Tokenizers;

namespace LlmShearing.Cli.Options;

internal sealed class EvaluationOptions
{
    public Option<string?> Protocol { get; } = Opt.Choice("--protocol", "How text becomes windows. [default: documents for text, rows for --ids]", [.. PerplexityProtocol.Names]);

    public Option<int?> Length { get; } = Opt.Int("--length", "N", "Tokens of a window. [default: the protocol's]", 1, maximum: Limits.RowLength);

    public Option<int?> Stride { get; } = Opt.Int("--stride", "N", "Tokens from one window to the next. [default: the protocol's]", 1);

    public Option<string?> Join { get; } = Opt.Text("--join", "TEXT", "Text between records, which then form one stream; \\n is a line break. [default: the protocol's]");

    public Option<int?> MaxWindows { get; } = Opt.Int("--max-windows", "N", "Use the first N windows only.", 1);

    public Option[] All => [Protocol, Length, Stride, Join, MaxWindows];

    public PerplexityProtocol Read(Invocation run, bool ids)
    {
        try
        {
            PerplexityProtocol protocol = PerplexityProtocol.Preset(run.Get(Protocol) ?? (ids ? "rows" : "documents"), run.Get(Length), run.Get(Stride));
            if (run.Get(Join) is { } join)
                protocol = protocol with { JoinText = join.Replace("\\n", "\n", StringComparison.Ordinal) };
            return protocol with { MaxWindows = run.Get(MaxWindows) };
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message, e);
        }
    }

    /// <summary>Applies the protocol's join rule and special tokens; whoever tokenises has to.</summary>
    public static IReadOnlyList<int[]> Encode(IEnumerable<string> records, PerplexityProtocol protocol, ITokenizer tokenizer) =>
        protocol.JoinText is { } join
            ? [tokenizer.Encode(string.Join(join, records), protocol.AddSpecialTokens)]
            : [.. records.Select(r => tokenizer.Encode(r, protocol.AddSpecialTokens))];
}
