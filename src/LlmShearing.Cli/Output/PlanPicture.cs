// A plan as a picture: one line a block, its heads and feed-forward channels drawn where they stay.
using System.Text;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Terminal;
using LlmShearing.Plans;
using Spectre.Console;

namespace LlmShearing.Cli.Output;

internal static class PlanPicture
{
    private const int Columns = 24;
    private const char Kept = '█';
    private const char Gone = '·';

    public static void Draw(IAnsiConsole console, PruningPlan plan)
    {
        LlamaShape target = plan.Target;
        var table = new Table().Border(TableBorder.None).AddColumns(
            new TableColumn("block").RightAligned(), new TableColumn("becomes").RightAligned(), new TableColumn("query heads"), new TableColumn("").RightAligned(),
            new TableColumn("kv").RightAligned(), new TableColumn("feed-forward"), new TableColumn("").RightAligned());
        foreach (LayerDescription layer in plan.Describe())
            table.AddRow(Row(layer));
        console.Write(table);
        console.Line($"hidden   {Units(plan.Hidden, plan.Source.HiddenSize)}  {target.HiddenSize}/{plan.Source.HiddenSize}");
        console.Line($"blocks   {target.Layers.Length}/{plan.Source.Layers.Length}{(plan.RemovedBlocks.Count > 0 ? $", removed {plan.RemovedBlocks}" : "")}");
        console.Line($"parameters {Numbers.Count(plan.Source.ParameterCount)} -> {Numbers.Count(target.ParameterCount)} ({Share(target.ParameterCount, plan.Source.ParameterCount)} %)");
        if (plan.Provenance is { Scorer: not null } from)
            console.Line($"made by  {from.Scorer}, {from.Strategy ?? "by hand"}");
    }

    public static JsonObject Json(PruningPlan plan)
    {
        LlamaShape target = plan.Target;
        return new JsonObject
        {
            ["removed"] = Numbers.Json(Removed(plan)),
            ["blocks_before"] = plan.Source.Layers.Length,
            ["blocks_after"] = target.Layers.Length,
            ["hidden_before"] = plan.Source.HiddenSize,
            ["hidden_after"] = target.HiddenSize,
            ["parameters_before"] = plan.Source.ParameterCount,
            ["parameters_after"] = target.ParameterCount,
            ["uniform"] = target.IsUniform,
            ["scorer"] = plan.Provenance?.Scorer,
            ["strategy"] = plan.Provenance?.Strategy,
            ["blocks"] = new JsonArray([.. plan.Describe().Select(JsonNode (l) => new JsonObject
            {
                ["source"] = l.SourceIndex,
                ["target"] = l.TargetIndex,
                ["query_heads"] = l.After?.QueryHeads ?? 0,
                ["key_value_heads"] = l.After?.KeyValueHeads ?? 0,
                ["intermediate_size"] = l.After?.IntermediateSize ?? 0,
            })]),
        };
    }

    /// <summary>Removed blocks, least important first where the plan knows the order.</summary>
    public static IReadOnlyList<int> Removed(PruningPlan plan) =>
        plan.Provenance?.RemovedBlocks is { } order && IndexSet.Of(order).Equals(plan.RemovedBlocks) ? order : plan.RemovedBlocks.Indices;

    /// <summary>One character a unit, or a unit's share of the whole in <see cref="Columns"/> characters.</summary>
    internal static string Units(IndexSet kept, int size)
    {
        if (size <= Columns)
        {
            HashSet<int> stay = [.. kept.Indices];
            return string.Concat(Enumerable.Range(0, size).Select(i => stay.Contains(i) ? Kept : Gone));
        }

        var count = new int[Columns];
        foreach (int i in kept.Indices)
            count[(int)((long)i * Columns / size)]++;
        var text = new StringBuilder();
        for (int c = 0; c < Columns; c++)
        {
            long first = (((long)c * size) + Columns - 1) / Columns, next = (((c + 1L) * size) + Columns - 1) / Columns;
            double share = count[c] / (double)(next - first);
            text.Append(share switch { >= 1 => Kept, >= 0.66 => '▓', >= 0.33 => '▒', > 0 => '░', _ => Gone });
        }

        return text.ToString();
    }

    private static string[] Row(LayerDescription layer)
    {
        string block = layer.SourceIndex.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (layer is not { After: { } after, Plan: { } plan, TargetIndex: int target })
            return [block, "", "removed", "", "", "", ""];
        return
        [
            block, target.ToString(System.Globalization.CultureInfo.InvariantCulture),
            after.HasAttention ? Units(plan.QueryHeads, layer.Before.QueryHeads) : "removed", $"{after.QueryHeads}/{layer.Before.QueryHeads}",
            $"{after.KeyValueHeads}/{layer.Before.KeyValueHeads}",
            after.HasMlp ? Units(plan.Intermediate, layer.Before.IntermediateSize) : "removed", $"{after.IntermediateSize}/{layer.Before.IntermediateSize}",
        ];
    }

    private static string Share(long part, long whole) => Numbers.Significant(100.0 * part / whole, 3);
}
