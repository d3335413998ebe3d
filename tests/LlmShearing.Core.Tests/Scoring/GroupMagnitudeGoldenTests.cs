// Weight norms of coupled groups against torch-pruning's group importance: golden torch-pruning/. That library divides by the number of
// members and by the mean of the group, so both sides are compared after division by their mean.
using System.Text.Json;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Tests.Scoring;

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
        ImportanceScores scores = ScoringGoldens.Score(new BlockMagnitudeScorer(new BlockMagnitudeOptions { NormPower = power }), model, [], PruningAxes.Width);
        using var tensors = new GoldenTensors("baselines/torch-pruning/tensors.safetensors");
        foreach (JsonElement group in expected.GetProperty("importance_groups").EnumerateArray())
        {
            string first = group.GetProperty("members")[0][0].GetString()!, how = group.GetProperty("members")[0][1].GetString()!;
            // With grouped keys and values that library spreads k and v over the query heads; ours counts each of their rows once.
            if (first.EndsWith("self_attn.o_proj", StringComparison.Ordinal) && model.Config.Shape.Layers[0].GroupSize(0) > 1)
                continue;
            double[] reference = [.. tensors.Floats(group.GetProperty("tensor").GetString()!).Select(v => (double)v)];
            int layer = int.Parse(first.Split('.')[2]);
            double[] actual = first.EndsWith("down_proj", StringComparison.Ordinal) && how == "prune_out_channels" ? Hidden(model, scores, power)
                : first.EndsWith("mlp.up_proj", StringComparison.Ordinal) ? [.. scores[PruningAxes.Intermediate][layer]]
                : [.. scores[PruningAxes.KeyValueGroups][layer]];
            if (reference.Length != actual.Length)
                reference = [.. reference.Chunk(reference.Length / actual.Length).Select(c => c.Sum())];
            ScoringGoldens.Near(Relative(reference), Relative(actual), 0, Tolerance, $"{id} {first}");
        }
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
