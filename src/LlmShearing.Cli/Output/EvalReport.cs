// A perplexity with its protocol, as JSON and as text.
using System.Globalization;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Terminal;
using LlmShearing.Evaluation;
using Spectre.Console;

namespace LlmShearing.Cli.Output;

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

    public static JsonObject Json(IReadOnlyList<(string Domain, PerplexityResult Result)> domains, double seconds)
    {
        (double nll, long tokens) = Total(domains);
        return new JsonObject
        {
            ["perplexity"] = Numbers.Json(Math.Exp(nll)),
            ["nll"] = Numbers.Json(nll),
            ["tokens"] = tokens,
            ["domains"] = new JsonObject(domains.Select(d => KeyValuePair.Create<string, JsonNode?>(d.Domain, new JsonObject
            {
                ["perplexity"] = Numbers.Json(d.Result.Perplexity),
                ["nll"] = Numbers.Json(d.Result.MeanNll),
                ["tokens"] = d.Result.Tokens,
            }))),
            ["seconds"] = seconds,
        };
    }

    public static void Print(IAnsiConsole console, IReadOnlyList<(string Domain, PerplexityResult Result)> domains)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns(
            new TableColumn("domain"), new TableColumn("perplexity").RightAligned(), new TableColumn("nats a token").RightAligned(), new TableColumn("tokens").RightAligned());
        (double nll, long tokens) = Total(domains);
        foreach ((string domain, PerplexityResult r) in domains)
            table.AddRow(domain, Numbers.Significant(r.Perplexity), Numbers.Significant(r.MeanNll), Numbers.Count(r.Tokens));
        table.AddRow("all", Numbers.Significant(Math.Exp(nll)), Numbers.Significant(nll), Numbers.Count(tokens));
        console.Write(table);
    }

    // Every token weighs the same.
    private static (double Nll, long Tokens) Total(IReadOnlyList<(string Domain, PerplexityResult Result)> domains)
    {
        long tokens = domains.Sum(d => d.Result.Tokens);
        return (domains.Sum(d => d.Result.MeanNll * d.Result.Tokens) / tokens, tokens);
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
