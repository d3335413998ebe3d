// Scores as JSON and as a table.
using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Terminal;
using Spectre.Console;

namespace LlmShearing.Cli.Output;

internal static class ScoreReport
{
    /// <summary>Axes by the names used in options and JSON.</summary>
    private static readonly (PruningAxes Axis, string Name)[] Names =
    [
        (PruningAxes.Layers, "layers"), (PruningAxes.Attention, "attention"), (PruningAxes.Mlp, "mlp"), (PruningAxes.Hidden, "hidden"),
        (PruningAxes.QueryHeads, "query_heads"), (PruningAxes.KeyValueGroups, "key_value_groups"), (PruningAxes.Intermediate, "intermediate"),
    ];

    public static string AxisNames { get; } = string.Join(", ", Names.Select(n => n.Name.Replace('_', '-')));

    /// <summary>Reads "layers,query-heads".</summary>
    public static PruningAxes ParseAxes(string text)
    {
        PruningAxes axes = PruningAxes.None;
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            PruningAxes axis = Names.FirstOrDefault(n => n.Name == part.Replace('-', '_')).Axis;
            axes |= axis != PruningAxes.None ? axis : throw new UsageException($"--axes: '{part}' is no axis. Axes: {AxisNames}.");
        }

        return axes != PruningAxes.None ? axes : throw new UsageException($"--axes is empty. Axes: {AxisNames}.");
    }

    /// <summary>`scores` by axis, and for block scores `order` (least important first) and `windows` where there are some.</summary>
    public static JsonObject Json(ImportanceScores scores)
    {
        var axes = new JsonObject();
        foreach ((PruningAxes axis, string name) in Names.Where(n => scores.Has(n.Axis)))
        {
            ImmutableArray<ImmutableArray<double>> rows = scores[axis];
            axes[name] = IsPerLayer(axis) ? new JsonArray([.. rows.Select(JsonNode (r) => Numbers.Json(r))]) : Numbers.Json(rows[0]);
        }

        var json = new JsonObject { ["scorer"] = scores.Scorer, ["scores"] = axes };
        if (scores.Has(PruningAxes.Layers))
            json["order"] = Numbers.Json(scores.LayerOrder());
        if (!scores.BlockWindows.IsDefault)
            json["windows"] = new JsonArray([.. scores.BlockWindows.Select(JsonNode (w) => Numbers.Json(w))]);
        return json;
    }

    public static void Print(IAnsiConsole console, ImportanceScores scores)
    {
        if (scores.Has(PruningAxes.Layers))
            PrintBlocks(console, scores);
        foreach ((PruningAxes axis, string name) in Names.Where(n => n.Axis != PruningAxes.Layers && scores.Has(n.Axis)))
            PrintUnits(console, name, scores[axis]);
    }

    private static void PrintBlocks(IAnsiConsole console, ImportanceScores scores)
    {
        ImmutableArray<int> order = scores.LayerOrder();
        var table = new Table().Border(TableBorder.None).AddColumns(
            new TableColumn("block").RightAligned(), new TableColumn(scores.Scorer).RightAligned(), new TableColumn("goes as").RightAligned());
        for (int i = 0; i < order.Length; i++)
            table.AddRow(Text(i), Numbers.Significant(scores.Layers[i]), Text(order.IndexOf(i) + 1));
        console.Write(table);
        console.Line("least important first: " + string.Join(' ', order));
    }

    private static void PrintUnits(IAnsiConsole console, string name, ImmutableArray<ImmutableArray<double>> rows)
    {
        var table = new Table().Border(TableBorder.None).AddColumns(
            new TableColumn(name.Replace('_', ' ')), new TableColumn("units").RightAligned(), new TableColumn("lowest").RightAligned(),
            new TableColumn("median").RightAligned(), new TableColumn("highest").RightAligned());
        for (int r = 0; r < rows.Length; r++)
        {
            double[] sorted = [.. rows[r].Order()];
            string[] values = sorted.Length == 0 ? ["", "", ""] : [Numbers.Significant(sorted[0]), Numbers.Significant(sorted[sorted.Length / 2]), Numbers.Significant(sorted[^1])];
            table.AddRow([rows.Length == 1 ? "all" : $"block {r}", Text(sorted.Length), .. values]);
        }

        console.Write(table);
    }

    private static bool IsPerLayer(PruningAxes axis) => axis is PruningAxes.QueryHeads or PruningAxes.KeyValueGroups or PruningAxes.Intermediate;

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
