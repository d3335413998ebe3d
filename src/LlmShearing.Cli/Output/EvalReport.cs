// A perplexity with its protocol, as JSON and as text.
using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace LlmShearing.Cli;

internal static class EvalReport
{
    public static JsonObject Json(PerplexityResult result, double seconds, bool perSequence)
    {
        var json = new JsonObject
        {
            ["perplexity"] = Numbers.Json(result.Perplexity),
            ["nll"] = Numbers.Json(result.MeanNll),
            ["tokens"] = result.Tokens,
            ["windows"] = result.Windows,
            ["protocol"] = result.Protocol.Name,
            ["window_length"] = result.Protocol.WindowLength,
            ["stride"] = result.Protocol.Stride,
            ["skipped_sequences"] = result.SkippedSequences,
            ["unused_tokens"] = result.UnusedTokens,
            ["seconds"] = seconds,
        };
        if (perSequence)
            json["per_sequence"] = new JsonArray([.. result.PerSequence.Select(JsonNode (s) => new JsonObject
            {
                ["row"] = s.Row,
                ["start"] = s.Start,
                ["nll"] = Numbers.Json(s.MeanNll),
                ["tokens"] = s.Tokens,
            })]);
        return json;
    }

    public static void Print(IAnsiConsole console, PerplexityResult result, bool perSequence)
    {
        console.Line($"perplexity {Numbers.Significant(result.Perplexity, 6)}   (protocol {result.Protocol.Name}, {Numbers.Count(result.Windows)} windows, {Numbers.Count(result.Tokens)} tokens, {Numbers.Significant(result.MeanNll, 6)} nats a token)");
        if (!perSequence)
            return;
        var table = new Table().Border(TableBorder.None).AddColumns(
            new TableColumn("row").RightAligned(), new TableColumn("from token").RightAligned(), new TableColumn("nll").RightAligned(), new TableColumn("tokens").RightAligned());
        foreach (SequenceLoss s in result.PerSequence)
            table.AddRow(s.Row.ToString(CultureInfo.InvariantCulture), s.Start.ToString(CultureInfo.InvariantCulture), Numbers.Significant(s.MeanNll, 6), s.Tokens.ToString(CultureInfo.InvariantCulture));
        console.Write(table);
    }
}
