// What config.json says, validated. Reading and writing the JSON is in LlamaConfigJson.
using System.Collections.Immutable;
using System.Text.Json.Nodes;
using LlmShearing.Model;

namespace LlmShearing;

/// <summary>Configuration of a LLaMA-family model (llama, mistral, qwen2).</summary>
public sealed record LlamaConfig
{
    /// <summary>All sizes.</summary>
    public required LlamaShape Shape { get; init; }

    /// <summary>model_type: llama, mistral or qwen2.</summary>
    public string ModelType { get; init; } = "llama";

    /// <summary>Epsilon inside the RMS norm.</summary>
    public double RmsNormEps { get; init; } = 1e-6;

    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary>Scaling of the rotary frequencies.</summary>
    public RopeScaling RopeScaling { get; init; } = new(RopeType.Default);

    /// <summary>Trained context length in tokens.</summary>
    public int MaxPositionEmbeddings { get; init; } = 2048;

    /// <summary>Sliding window of every layer in tokens, null = full attention. Uninitialised means full attention everywhere.</summary>
    public ImmutableArray<int?> SlidingWindows { get; init; }

    /// <summary>What the weights are stored in: float32, float16, bfloat16 or float64.</summary>
    public string StoredDtype { get; init; } = "float32";

    /// <summary>Beginning-of-sequence id, or null.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>End-of-sequence ids; may be empty.</summary>
    public ImmutableArray<int> EosTokenIds { get; init; } = [];

    /// <summary>Padding id, or null. Its embedding row gets no gradient from the input side. Negative ids count from the end: -1 is the last row.</summary>
    public int? PadTokenId { get; init; }

    /// <summary>The JSON this configuration was read from, so that unknown keys survive a round trip; null when made in code.</summary>
    public JsonObject? Source { get; init; }

    /// <summary>Sliding window of <paramref name="layer"/> in tokens, or null for full attention.</summary>
    /// <param name="layer">0-based block index.</param>
    /// <returns>The window or null.</returns>
    public int? SlidingWindow(int layer) => SlidingWindows.IsDefaultOrEmpty ? null : SlidingWindows[layer];

    /// <summary>The configuration of the model that a plan leaves: its target shape, and the sliding windows of the blocks that stay.</summary>
    /// <param name="plan">A plan for a model of this <see cref="Shape"/>.</param>
    /// <returns>A new configuration with the same <see cref="Source"/>.</returns>
    /// <exception cref="PlanException">The plan is for another shape, or not valid.</exception>
    public LlamaConfig For(PruningPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        plan.EnsureFor(Shape);
        return this with
        {
            Shape = plan.Target,
            SlidingWindows = SlidingWindows.IsDefaultOrEmpty ? default : [.. plan.Layers.Select(layer => SlidingWindows[layer.SourceIndex])],
        };
    }
}
