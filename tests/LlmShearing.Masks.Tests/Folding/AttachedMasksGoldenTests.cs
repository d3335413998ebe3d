// The original with its mask module attached: sampled masks through the model and all gradients back to logits and multipliers; then settled masks and the cut.
using System.Text.Json.Nodes;
using LlmShearing.Model;
using LlmShearing.Testing;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Tests.Folding;

public class AttachedMasksGoldenTests
{
    private static readonly Dictionary<PruningAxes, string> Family = new()
    {
        [PruningAxes.Hidden] = "hidden",
        [PruningAxes.QueryHeads] = "head",
        [PruningAxes.Intermediate] = "intermediate",
        [PruningAxes.Layers] = "layer",
        [PruningAxes.Attention] = "head_layer",
        [PruningAxes.Mlp] = "mlp",
    };

    public static TheoryData<string, string> Attached() => MaskedModelCase.Folders(name => name.StartsWith("l0-", StringComparison.Ordinal));

    public static TheoryData<string, string> Settled() => MaskedModelCase.Folders(name => name == "postprocess");

    [Theory]
    [MemberData(nameof(Attached))]
    public void Backward_SampledMasks_MatchesTheOriginal(string model, string pattern)
    {
        using var golden = new MaskedModelCase(model, pattern);
        using MaskState masks = State(golden);
        foreach ((_, var weight) in golden.Model.NamedWeights())
            weight.requires_grad = true;
        MaskSample sample = masks.Sample(new GivenNoise(axis => golden.Tensors.Floats($"u.{Family[axis]}")));
        AssertValues(golden, "z_train", sample.Values);
        using LlamaGates gates = sample.Values.ToGates(requiresGrad: true, gateEmbedding: false);
        using var scope = NewDisposeScope();
        Tensor logits = golden.Model.forward(golden.Input(), new ForwardOptions { Gates = gates });
        Near.Equal(golden.Tensors.Floats("logits_train"), MaskedModelCase.Numbers(logits), 2e-5, what: "logits");
        Tensor loss = golden.Loss(logits);
        loss.backward();
        ConstraintValue constraint = masks.AddGradients(sample, gates.Gradients(), (long)golden.Json["pruned_steps"]!, 1);

        Near.Equal((double)golden.Json["ce_loss"]!, loss.item<float>(), 5e-6, what: "ce");
        Near.Equal((double)golden.Json["lag_loss"]!, constraint.Loss, 1e-5, what: "lagrangian");
        Near.Equal((double)golden.Json["total"]!, loss.item<float>() + constraint.Loss, 1e-5, what: "total");
        golden.AssertWeightGradients("grad.");
        foreach (MaskFamily family in masks.Layout.Families)
        {
            string name = Family[family.Axis];
            Near.Equal(golden.Tensors.Floats($"grad.model.l0_module.masks.{name}.z_loga"), masks.LogitGradients(family.Axis), 2e-6, what: family.Name);
            (Parameter linear, Parameter quadratic) = masks.Pair(family.Name);
            Near.Equal(golden.Tensors.Floats($"grad.model.l0_module.lambdas.lambda_1_{name}"), MaskStateExtensions.Gradient(linear), 1e-5, what: family.Name);
            Near.Equal(golden.Tensors.Floats($"grad.model.l0_module.lambdas.lambda_2_{name}"), MaskStateExtensions.Gradient(quadratic), 1e-5, what: family.Name);
        }
    }

    [Theory]
    [MemberData(nameof(Attached))]
    public void Deterministic_ExpectedZeros_GivesTheEvaluationOfTheOriginal(string model, string pattern)
    {
        using var golden = new MaskedModelCase(model, pattern);
        using MaskState masks = State(golden);
        MaskValues settled = masks.Deterministic(exact: false);
        AssertValues(golden, "z_eval", settled);
        using LlamaGates gates = settled.ToGates(gateEmbedding: false);
        float[] logits = golden.Logits(golden.Model, gates);
        Near.Equal(golden.Tensors.Floats("logits_eval"), logits, 2e-5, what: "logits");
        using var scope = NewDisposeScope();
        Near.Equal((double)golden.Json["eval_ce_loss"]!, golden.Loss(tensor(logits)).item<float>(), 5e-6, what: "ce");

        // The model that the original evaluates is also the one that a fold without the embedding gives.
        using LlamaModel cut = MaskFold.Apply(golden.Model, settled, new MaskFoldOptions { GateEmbedding = false });
        Near.Equal(golden.Tensors.Floats("logits_eval"), golden.Logits(cut), 2e-5, what: "cut");
    }

    [Theory]
    [MemberData(nameof(Settled))]
    public void Deterministic_ExactTarget_GivesTheMasksOfThePostProcessing(string model, string pattern)
    {
        using var golden = new MaskedModelCase(model, pattern);
        using MaskState masks = State(golden);
        MaskValues settled = masks.Deterministic();
        AssertValues(golden, "z", settled);
        Assert.Equal(masks.Layout.Target, MaskFold.Plan(settled).Target);   // its weights and logits: MaskFoldGoldenTests
    }

    private static MaskState State(MaskedModelCase golden)
    {
        JsonObject settings = golden.Json["l0_module"]!.AsObject();
        JsonObject target = settings["target_model"]!.AsObject();
        LlamaShape source = golden.Model.Config.Shape;
        int heads = (int)target["n_heads"]!;
        LlamaShape shape = source with
        {
            HiddenSize = (int)target["d_model"]!,
            Layers = [.. Enumerable.Repeat(new LayerShape(heads, heads, (int)target["intermediate_size"]!), (int)target["n_layers"]!)],
        };
        PruningAxes axes = settings["pruning_modules"]!.AsArray().Select(m => Family.Single(f => f.Value == (string)m!).Key).Aggregate((a, b) => a | b);
        var ramp = new SparsityRamp(int.Parse(((string)settings["lagrangian_warmup_steps"]!)[..^2], System.Globalization.CultureInfo.InvariantCulture));
        var state = new MaskState(new SparsityConstraint(MaskLayout.ForTarget(source, shape, axes), ramp));
        foreach (MaskFamily family in state.Layout.Families)
        {
            string name = Family[family.Axis];
            state.SetLogits(family.Axis, golden.Tensors.Floats($"loga.{name}"));
            if (golden.Json["lambdas"] is { } lambdas)
                state.SetMultipliers(family.Name, (float)lambdas[$"lambda_1_{name}"]!, (float)lambdas[$"lambda_2_{name}"]!);
        }

        return state;
    }

    // A mask of blocks is stored twice, as that of both sub-blocks.
    private static void AssertValues(MaskedModelCase golden, string prefix, MaskValues actual)
    {
        MaskValues expected = golden.Values(prefix);
        foreach (PruningAxes axis in expected.Axes)
            Near.Equal(expected[axis]!.Value.Span, (actual[axis] ?? actual[PruningAxes.Layers])!.Value.Span, 1e-6, what: axis.ToString());
    }
}
