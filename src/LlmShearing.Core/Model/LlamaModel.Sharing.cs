// A depth cut that costs no memory: a model of some of the blocks of another, on the same weights.
using LlmShearing.Model;
using LlmShearing.Surgery;
using TorchSharp.Modules;

namespace LlmShearing;

public sealed partial class LlamaModel
{
    private LlamaModel(LlamaModel source, PruningPlan plan)
        : base(nameof(LlamaModel))
    {
        (Config, Dtype, Device, Name, SharesWeights) = (source.Config.For(plan), source.Dtype, source.Device, source.Name, true);
        embed_tokens = new LlamaEmbedding(source.embed_tokens);
        layers = new ModuleList<LlamaBlock>([.. plan.Layers.Select((kept, i) => new LlamaBlock(Config, i, source.layers[kept.SourceIndex]))]);
        norm = new RmsNorm(source.norm);
        lm_head = source.lm_head is null ? null : new Projection(source.lm_head);
        RegisterComponents();
    }

    /// <summary>Whether the weights are those of another model too (<see cref="ShareBlocks"/>). Adapters can be trained on such a model; its weights must stay as they are.</summary>
    public bool SharesWeights { get; }

    /// <summary>
    /// The model that a depth plan leaves, on the memory of this one. It computes what <see cref="ModelSurgery"/>'s copy computes, and takes adapters of its own: a pruned student with
    /// adapters and its dense teacher together need the memory of one.
    /// </summary>
    /// <param name="plan">A plan for this model that removes whole blocks or sub-blocks only.</param>
    /// <returns>
    /// A model owned by the caller, whose weights do not require gradients. Either of the two may be disposed first; converting one of them gives it weights of its own.
    /// </returns>
    /// <exception cref="PlanException">The plan is not valid, is for another model, or cuts inside of blocks.</exception>
    public LlamaModel ShareBlocks(PruningPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        EnsureAlive();
        plan.EnsureFor(Config.Shape);
        LlamaShape shape = Config.Shape;
        if (!plan.Hidden.IsAll(shape.HiddenSize))
            throw Narrower($"{plan.Hidden.Count} of {shape.HiddenSize} residual channels");
        foreach (LayerPlan layer in plan.Layers)
        {
            LayerShape sizes = shape.Layers[layer.SourceIndex];
            if (layer.QueryHeads.Count > 0 && !layer.QueryHeads.IsAll(sizes.QueryHeads))
                throw Narrower($"{layer.QueryHeads.Count} of {sizes.QueryHeads} query heads of block {layer.SourceIndex}");
            if (layer.Intermediate.Count > 0 && !layer.Intermediate.IsAll(sizes.IntermediateSize))
                throw Narrower($"{layer.Intermediate.Count} of {sizes.IntermediateSize} intermediate channels of block {layer.SourceIndex}");
        }

        return new LlamaModel(this, plan);
    }

    private static PlanException Narrower(string kept) =>
        new($"The plan keeps {kept}, and only whole blocks and sub-blocks can be shared. Cut the model with ModelSurgery instead; that takes memory of its own.");
}
