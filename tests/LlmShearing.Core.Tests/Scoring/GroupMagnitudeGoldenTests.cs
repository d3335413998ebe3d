// Weight norms of coupled groups against torch-pruning's group importance: golden torch-pruning/. That library divides by the number of
// members and by the mean of the group, so both sides are compared after division by their mean.
using System.Text.Json;
using LlmShearing.Scoring;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Scoring;

public sealed class GroupMagnitudeGoldenTests
{
    private const double Tolerance = 1e-5;
    private static readonly JsonElement Cases = ScoringGoldens.Json("baselines/torch-pruning/cases.json");

    public static TheoryData<string> Ids() => [.. Cases.EnumerateArray().Where(c => c.GetProperty("kind").GetString() == "auto").Select(c => c.GetProperty("id").GetString()!)];

    [Theory]
    [MemberData(nameof(Ids))]
    public void Score_WidthAxes_AgreeWithGroupImportance(string id)
    {
        JsonElement expected = Cases.EnumerateArray().Single(c => c.GetProperty("id").GetString() == id);
        LlamaModel model = ScoringGoldens.Model(expected.GetProperty("model").GetString()!);
        double power = expected.TryGetProperty("p", out JsonElement p) ? p.GetDouble() : 2;
        bool largest = expected.TryGetProperty("group_reduction", out JsonElement reduction) && reduction.GetString() == "max";
        var options = new BlockMagnitudeOptions { NormPower = power, GroupReduction = largest ? ScoreReduction.Max : ScoreReduction.Sum };
        ImportanceScores scores = ScoringGoldens.Score(new BlockMagnitudeScorer(options), model, [], PruningAxes.Width);
        using var tensors = new GoldenTensors("baselines/torch-pruning/tensors.safetensors");
        foreach (JsonElement group in expected.GetProperty("importance_groups").EnumerateArray())
        {
            string first = group.GetProperty("members")[0][0].GetString()!, how = group.GetProperty("members")[0][1].GetString()!;
            // With grouped keys and values that library spreads k and v over the query heads; our sum counts each of their rows once.
            if (!largest && first.EndsWith("self_attn.o_proj", StringComparison.Ordinal) && model.Config.Shape.Layers[0].GroupSize(0) > 1)
                continue;
            double[] reference = [.. tensors.Floats(group.GetProperty("tensor").GetString()!).Select(v => (double)v)];
            int layer = int.Parse(first.Split('.')[2]);
            double[] actual = first.EndsWith("down_proj", StringComparison.Ordinal) && how == "prune_out_channels" ? largest ? [.. scores[PruningAxes.Hidden][0]] : Hidden(model, scores, power)
                : first.EndsWith("mlp.up_proj", StringComparison.Ordinal) ? [.. scores[PruningAxes.Intermediate][layer]]
                : [.. scores[PruningAxes.KeyValueGroups][layer]];
            if (reference.Length != actual.Length)
                reference = [.. reference.Chunk(reference.Length / actual.Length).Select(c => c.Sum())];
            ScoringGoldens.Near(Relative(reference), Relative(actual), 0, Tolerance, $"{id} {first}");
        }
    }

    // The rule of the reduction max, written out element by element.
    [Theory]
    [InlineData("mha6", 2)]
    [InlineData("gqa5", 2)]
    [InlineData("gqa5", 1)]
    [InlineData("gqa5", 3)]
    public void Score_LargestOfAGroup_IsTakenChannelByChannel(string name, double power)
    {
        LlamaModel model = ScoringGoldens.Model(name);
        LlamaShape shape = model.Config.Shape;
        ImportanceScores scores = ScoringGoldens.Score(new BlockMagnitudeScorer(new BlockMagnitudeOptions { NormPower = power, GroupReduction = ScoreReduction.Max }), model, [], PruningAxes.Width);
        Dictionary<string, (double[] Rows, double[] Columns)> norms = model.NamedWeights().Where(w => w.Weight.dim() == 2).ToDictionary(w => w.Name, w => Norms(w.Weight, power));
        double[] hidden = shape.TiedEmbeddings ? norms["model.embed_tokens.weight"].Columns : norms["lm_head.weight"].Columns;
        for (int layer = 0; layer < shape.Layers.Length; layer++)
        {
            (double[] Rows, double[] Columns) Of(string projection) => norms[$"model.layers.{layer}.{projection}.weight"];
            var (q, k, v, o) = (Of("self_attn.q_proj"), Of("self_attn.k_proj"), Of("self_attn.v_proj"), Of("self_attn.o_proj"));
            var (gate, up, down) = (Of("mlp.gate_proj"), Of("mlp.up_proj"), Of("mlp.down_proj"));
            ScoringGoldens.Near(Largest(gate.Rows, up.Rows, down.Columns), [.. scores[PruningAxes.Intermediate][layer]], 0, Tolerance, "channels");
            hidden = Largest(hidden, q.Columns, k.Columns, v.Columns, o.Rows, gate.Columns, up.Columns, down.Rows);
            int shared = shape.Layers[layer].QueryHeads / shape.Layers[layer].KeyValueHeads, e = shape.HeadDim;
            double[] Spread(double[] rows) => [.. rows.Chunk(e).SelectMany(head => Enumerable.Repeat(head, shared)).SelectMany(head => head)];
            double[] own = Largest(q.Rows, o.Columns), all = Largest(own, Spread(k.Rows), Spread(v.Rows));
            ScoringGoldens.Near([.. (shared == 1 ? all : own).Chunk(e).Select(c => c.Sum())], [.. scores[PruningAxes.QueryHeads][layer]], 0, Tolerance, "heads");
            ScoringGoldens.Near([.. all.Chunk(e * shared).Select(c => c.Sum())], [.. scores[PruningAxes.KeyValueGroups][layer]], 0, Tolerance, "groups");
        }

        ScoringGoldens.Near(hidden, [.. scores[PruningAxes.Hidden][0]], 0, Tolerance, "hidden");
    }

    [Theory]
    [InlineData(ScoreReduction.Mean)]
    [InlineData(ScoreReduction.Product)]
    public void GroupReduction_OfAnotherKind_IsRefused(ScoreReduction reduction) =>
        Assert.Contains("GroupReduction must be Sum or Max.", Assert.Throws<ScoringException>(() => new BlockMagnitudeScorer(new BlockMagnitudeOptions { GroupReduction = reduction })).Message, StringComparison.Ordinal);

    private static double[] Largest(params double[][] values) => [.. Enumerable.Range(0, values[0].Length).Select(i => values.Max(v => v[i]))];

    private static (double[] Rows, double[] Columns) Norms(Tensor weight, double power)
    {
        (int rows, int columns) = ((int)weight.shape[0], (int)weight.shape[1]);
        var sums = (Rows: new double[rows], Columns: new double[columns]);
        float[] values = weight.detach().data<float>().ToArray();
        for (int i = 0; i < values.Length; i++)
        {
            double x = Math.Pow(Math.Abs(values[i]), power);
            sums.Rows[i / columns] += x;
            sums.Columns[i % columns] += x;
        }

        return sums;
    }

    // That library leaves norms and the embedding out of the hidden group (a tied matrix counts through the output projection).
    private static double[] Hidden(LlamaModel model, ImportanceScores scores, double power)
    {
        using var scope = NewDisposeScope();
        double[] hidden = [.. scores[PruningAxes.Hidden][0]];
        foreach ((string name, var weight) in model.NamedWeights())
        {
            Tensor powers = weight.detach().abs().pow(power);
            if (name.Contains("norm", StringComparison.Ordinal))
                Subtract(powers);
            else if (name == "model.embed_tokens.weight" && !model.Config.Shape.TiedEmbeddings)
                Subtract(powers.sum(dim: 0));
        }

        return hidden;

        void Subtract(Tensor values)
        {
            float[] read = values.data<float>().ToArray();
            for (int i = 0; i < hidden.Length; i++)
                hidden[i] -= read[i];
        }
    }

    private static double[] Relative(double[] values) => [.. values.Select(v => v / values.Average())];
}
