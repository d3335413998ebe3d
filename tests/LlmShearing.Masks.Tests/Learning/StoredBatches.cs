// Micro-batches, uniforms and held-out data as stored in goldens/shearing/train-e2e.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Masks.Tests.Learning;

/// <summary>The stored micro-batches in order.</summary>
internal sealed class StoredBatches(GoldenTensors trace, int accumulation) : ITrainingData
{
    private long _next;

    public TrainingBatch? NextBatch(CancellationToken cancellationToken = default)
    {
        string name = $"step{_next / accumulation}.micro{_next % accumulation}";
        if (!trace.Has(name + ".input_ids"))
            return null;
        _next++;
        return Batch(trace, name, null);
    }

    public JsonObject Describe() => new() { ["data"] = "stored" };

    public JsonObject Save() => new() { ["next"] = _next };

    public void Restore(JsonObject state) => _next = (long)state["next"]!;

    public void Dispose()
    {
    }

    /// <summary>The held-out rows by domain.</summary>
    public static IReadOnlyList<EvaluationSet> HeldOut(GoldenTensors trace, IReadOnlyList<string> domains) =>
    [
        .. domains.Select((name, d) => new EvaluationSet(name,
        [
            .. Enumerable.Range(0, 100).TakeWhile(k => trace.Has($"eval.batch{k}.input_ids")).Where(k => trace.Longs($"eval.batch{k}.set").Contains(d)).Select(k => Batch(trace, $"eval.batch{k}", d)),
        ])),
    ];

    private static TrainingBatch Batch(GoldenTensors trace, string name, int? domain)
    {
        int[][] ids = trace.Rows(name + ".input_ids"), labels = trace.Rows(name + ".labels");
        long[] sets = trace.Longs(name + ".set");
        int[] rows = [.. Enumerable.Range(0, ids.Length).Where(r => domain is null || sets[r] == domain)];
        return new TrainingBatch(TokenBatch.FromRows([.. rows.Select(r => ids[r])]), [.. rows.SelectMany(r => labels[r])], source: name);
    }
}

/// <summary>The stored uniforms of one micro-batch.</summary>
internal sealed class StoredNoise(GoldenTensors trace, MicroBatchKey key) : IMaskNoise
{
    public void Fill(MaskFamily family, Span<double> uniforms)
    {
        float[] stored = trace.Floats($"step{key.Step}.micro{key.MicroBatch}.u.{ReferenceNames.Of(family.Axis)}");
        for (int i = 0; i < uniforms.Length; i++)
            uniforms[i] = stored[i];
    }
}

internal static class ReferenceNames
{
    /// <summary>The original's name of a family.</summary>
    public static string Of(PruningAxes axis) => axis switch
    {
        PruningAxes.Hidden => "hidden",
        PruningAxes.QueryHeads => "head",
        PruningAxes.Intermediate => "intermediate",
        PruningAxes.Layers => "layer",
        PruningAxes.Attention => "head_layer",
        _ => "mlp",
    };

    /// <summary>The original's name of a weight.</summary>
    public static string OfWeight(string name) => "model.transformer." + name
        .Replace("model.embed_tokens", "wte", StringComparison.Ordinal).Replace("model.norm", "ln_f", StringComparison.Ordinal).Replace("lm_head", "output", StringComparison.Ordinal)
        .Replace("model.layers", "blocks", StringComparison.Ordinal).Replace("input_layernorm", "ln_1", StringComparison.Ordinal).Replace("post_attention_layernorm", "ln_2", StringComparison.Ordinal)
        .Replace("self_attn.q_proj", "attn.wq", StringComparison.Ordinal).Replace("self_attn.k_proj", "attn.wk", StringComparison.Ordinal)
        .Replace("self_attn.v_proj", "attn.wv", StringComparison.Ordinal).Replace("self_attn.o_proj", "attn.out_proj", StringComparison.Ordinal);
}
