// From masks to a smaller model: units whose value is zero are cut away, the values of the others are multiplied into the weights.
// The smaller model computes what the masked one computed, for any values (LLM-Shearing, models/composer_llama.py, prune_params; its output projection aside).
using LlmShearing.Model;
using LlmShearing.Support;
using LlmShearing.Surgery;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Masks;

/// <summary>Turns mask values into a plan, and a model with masks into the cut model without them.</summary>
/// <remarks>The source is only read: any number of threads may fold one model at once.</remarks>
public static class MaskFold
{
    /// <summary>Name under which plans record that they come from masks.</summary>
    public const string Name = "mask-fold";

    /// <summary>
    /// The units that stay: those whose value is not zero, and of heads and intermediate channels those whose group, sub-block and block have values that are not zero either.
    /// A block stays while one of its sub-blocks does. A sub-block whose units are all zero still adds its output bias, if it has one and its own value is not zero: it then keeps its
    /// first unit, which the fold multiplies by zero.
    /// </summary>
    /// <param name="values">Masks. Numbers of zeros may differ from layer to layer; the plan's target then is not uniform.</param>
    /// <returns>A plan for models of the masks' shape.</returns>
    /// <exception cref="MaskException">No residual channel or no block is left.</exception>
    public static PruningPlan Plan(MaskValues values)
    {
        ArgumentNullException.ThrowIfNull(values);
        LlamaShape shape = values.Source;
        var units = new UnitValues(values);
        IndexSet hidden = Kept(shape.HiddenSize, d => units.Hidden(d) != 0, atLeastOne: false);
        if (hidden.Count == 0)
            throw new MaskException($"All {shape.HiddenSize} hidden values are zero. At least one residual channel must stay.");
        LayerPlan[] layers =
        [
            .. Enumerable.Range(0, shape.Layers.Length)
                .Select(l => new LayerPlan(
                    l,
                    units.KeepsAttention(l) ? Kept(shape.Layers[l].QueryHeads, q => units.Query(l, q) != 0 && units.GroupOfQuery(l, q) != 0, shape.OutputBias) : IndexSet.Empty,
                    units.KeepsMlp(l) ? Kept(shape.Layers[l].IntermediateSize, i => units.Intermediate(l, i) != 0, shape.MlpBias) : IndexSet.Empty))
                .Where(l => l.QueryHeads.Count > 0 || l.Intermediate.Count > 0),
        ];
        if (layers.Length == 0)
            throw new MaskException($"The values remove every head and intermediate channel of all {shape.Layers.Length} blocks. At least one block must stay.");
        return new PruningPlan
        {
            Source = shape,
            Hidden = hidden,
            Layers = [.. layers],
            Provenance = new PlanProvenance(LearnedMaskScorer.Name, Name) { Library = LibraryVersion.Text },
        };
    }

    /// <summary>Cuts a model and multiplies what stays. Products are taken in float32 (float64 for a float64 model) and rounded once to the model's type.</summary>
    /// <param name="model">The model that the masks belong to; unchanged.</param>
    /// <param name="values">Masks.</param>
    /// <param name="options">Which masked model to reproduce; null = defaults.</param>
    /// <param name="progress">Receives one report per block cut and one per block folded; may be null.</param>
    /// <param name="cancellationToken">Checked before every block.</param>
    /// <returns>A new model of the shape of <see cref="Plan"/>, owned by the caller.</returns>
    /// <exception cref="MaskException">Nothing would be left, or an option does not fit the model.</exception>
    /// <exception cref="PlanException">The masks are for a model of another shape.</exception>
    public static LlamaModel Apply(
        LlamaModel model, MaskValues values, MaskFoldOptions? options = null, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.EnsureAlive();
        options ??= new MaskFoldOptions();
        if (options.ReferenceOutput && model.Config.Shape.TiedEmbeddings)
            throw new MaskException($"{nameof(MaskFoldOptions.ReferenceOutput)} multiplies the output projection by itself, but this model's is its embedding. Leave the option off: the fold is exact then.");
        PruningPlan plan = Plan(values);
        LlamaModel result = ModelSurgery.Apply(model, plan, progress, cancellationToken);
        if (options.Harden)
            return result;
        try
        {
            using var noGrad = no_grad();
            using var scope = NewDisposeScope();
            var factors = new FoldFactors(values, plan, Precise(model.Dtype), model.Device);
            FoldEnds(result, factors.Hidden, options);
            for (int layer = 0; layer < plan.Layers.Length; layer++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                FoldBlock(result.layers[layer], layer, factors);
                progress?.Report(new ShearingProgress("fold", layer + 1, plan.Layers.Length, "blocks"));
            }
        }
        catch
        {
            result.Dispose();
            throw;
        }

        return result;
    }

    // Logits are (norm(x) * w * z) Eᵀ. When E is the embedding too and carries z, the final norm must not carry it again.
    private static void FoldEnds(LlamaModel result, Tensor? hidden, MaskFoldOptions options)
    {
        bool tied = result.lm_head is null;
        if (options.GateEmbedding)
            Multiply(result.embed_tokens.weight, hidden);
        if (!(tied && options.GateEmbedding))
            Multiply(result.norm.weight, hidden);
        if (options.ReferenceOutput)
            Multiply(result.lm_head!.weight, hidden);
    }

    private static void FoldBlock(LlamaBlock block, int layer, FoldFactors factors)
    {
        using var scope = NewDisposeScope();
        if (block.self_attn is { } attention)
        {
            Multiply(block.input_layernorm!.weight, factors.Hidden);
            MultiplyRows(attention.v_proj, [factors.ValueRows(layer)]);
            MultiplyRows(attention.o_proj, [factors.Attention(layer), factors.Hidden], factors.OutputColumns(layer));
        }

        if (block.mlp is { } mlp)
        {
            Multiply(block.post_attention_layernorm!.weight, factors.Hidden);
            MultiplyRows(mlp.up_proj, [factors.Intermediate(layer)]);
            MultiplyRows(mlp.down_proj, [factors.Mlp(layer), factors.Hidden]);
        }
    }

    // Factors [out] or [1] on the output channels, weight [out, in] and bias [out]; and one [in] on the input channels.
    private static void MultiplyRows(Projection projection, Tensor?[] rows, Tensor? columns = null)
    {
        Multiply(projection.weight, [.. rows.Select(f => f?.unsqueeze(1)), columns]);
        if (projection.bias is not null)
            Multiply(projection.bias, rows);
    }

    // In place, one after the other; 16-bit weights by way of one float32 copy.
    private static void Multiply(Parameter weight, params Tensor?[] factors)
    {
        if (factors.All(f => f is null))
            return;
        using var scope = NewDisposeScope();
        bool wide = weight.dtype == Precise(weight.dtype);
        Tensor product = wide ? weight : weight.to(ScalarType.Float32);
        foreach (Tensor? factor in factors)
            if (factor is not null)
                product.mul_(factor);
        if (!wide)
            weight.copy_(product);
    }

    private static ScalarType Precise(ScalarType dtype) => dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;

    private static IndexSet Kept(int size, Func<int, bool> stays, bool atLeastOne)
    {
        IndexSet kept = IndexSet.Of(Enumerable.Range(0, size).Where(stays));
        return kept.Count == 0 && size > 0 && atLeastOne ? IndexSet.All(1) : kept;
    }
}
