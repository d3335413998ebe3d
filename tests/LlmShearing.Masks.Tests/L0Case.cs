// One configuration of shearing/l0: shapes, the constraint that belongs to them, and the names of the reference.
using System.Text.Json.Nodes;
using LlmShearing.Testing;

namespace LlmShearing.Masks.Tests;

/// <summary>A configuration of the reference's mask module under this library's types.</summary>
internal sealed class L0Case
{
    public static readonly IReadOnlyDictionary<string, PruningAxes> AxisOf = new Dictionary<string, PruningAxes>
    {
        ["hidden"] = PruningAxes.Hidden,
        ["head"] = PruningAxes.QueryHeads,
        ["intermediate"] = PruningAxes.Intermediate,
        ["layer"] = PruningAxes.Layers,
        ["head_layer"] = PruningAxes.Attention,
        ["mlp"] = PruningAxes.Mlp,
    };

    public L0Case(string folder)
    {
        Folder = folder;
        Json = JsonNode.Parse(File.ReadAllText(Goldens.Path(folder + "/case.json")))!;
        LlamaShape source = Shape(Json["base"]!);
        Families = [.. Json["pruning_modules"]!.AsArray().Select(n => n!.GetValue<string>())];
        PruningAxes axes = Families.Aggregate(PruningAxes.None, (all, f) => all | AxisOf[f]);
        bool targeted = Json["target"] is not null;
        MaskLayout layout = targeted ? MaskLayout.ForTarget(source, Shape(Json["target"]!, source.HeadDim), axes) : MaskLayout.ForBudget(source, axes);
        ParameterWeights weights = ParameterWeights.Of(layout);
        if (Json["mlp_matrices"]!.GetValue<int>() == 2)
            weights = WithTwoMatrices(weights, layout);
        Constraint = new SparsityConstraint(
            layout,
            new SparsityRamp(Json["lagrangian_warmup_steps"]!.GetValue<long>(), Json["start_sparsity"]!.GetValue<double>()),
            Json["config_target_sparsity"]?.GetValue<double>(),
            weights);
    }

    public string Folder { get; }

    public JsonNode Json { get; }

    /// <summary>Names of the reference, in its order.</summary>
    public IReadOnlyList<string> Families { get; }

    public SparsityConstraint Constraint { get; }

    public bool Targeted => Constraint.Layout.Target is not null;

    public static LlamaShape Shape(JsonNode sizes, int? headDim = null)
    {
        int Of(string key) => sizes[key]!.GetValue<int>();
        int heads = Of("n_heads"), hidden = Of("d_model");
        return Uniform(hidden, heads, heads, Of("intermediate_size"), Of("n_layers"), headDim ?? Math.Max(1, hidden / heads));
    }

    public static LlamaShape Uniform(int hidden, int queryHeads, int keyValueHeads, int intermediate, int layers, int headDim) => new()
    {
        VocabSize = 128,
        HiddenSize = hidden,
        HeadDim = headDim,
        Layers = [.. Enumerable.Repeat(new LayerShape(queryHeads, keyValueHeads, intermediate), layers)],
    };

    /// <summary>The keys under which the reference returns the masks of a family.</summary>
    public static string[] MaskKeys(string family) => family == "layer" ? ["mlp_z", "head_layer_z"] : [family + "_z"];

    /// <summary>A state with the given logits and the multipliers of <paramref name="lambdas"/> (the reference's names).</summary>
    public MaskState State(Func<string, float[]> logits, JsonNode? lambdas = null)
    {
        var state = new MaskState(Constraint);
        foreach (string family in Families)
            state.SetLogits(AxisOf[family], logits(family));
        if (lambdas is not null)
            foreach ((string constrained, string suffix) in Constrained())
                state.SetMultipliers(constrained, lambdas["lambda_1" + suffix]!.GetValue<float>(), lambdas["lambda_2" + suffix]!.GetValue<float>());
        return state;
    }

    /// <summary>Names of constraints, and what the reference appends to lambda_1 and lambda_2 for each.</summary>
    public IEnumerable<(string Name, string Suffix)> Constrained() =>
        Targeted ? Families.Select(f => (MaskFamily.NameOf(AxisOf[f]), "_" + f)) : [("total", "")];

    // The reference's prototype for models with two feed-forward matrices.
    private static ParameterWeights WithTwoMatrices(ParameterWeights weights, MaskLayout layout)
    {
        double Less(LlamaShape shape) => (double)shape.HiddenSize * shape.Layers[0].IntermediateSize * shape.Layers.Length;
        return weights with
        {
            PerIntermediateChannel = 2.0 * layout.Source.HiddenSize,
            Prunable = weights.Prunable - Less(layout.Source),
            PrunableOfTarget = weights.PrunableOfTarget - (layout.Target is { } target ? Less(target) : 0),
        };
    }
}
