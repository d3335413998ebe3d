// What a step promises besides its gradients: accumulation, frozen parts, gates, objectives, 16-bit sums, errors.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Testing.Training;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests;

public sealed class TrainingStepTests
{
    private static readonly TrainingStepOptions[] Both = [new() { Recompute = true }, new() { Recompute = false }];

    [Theory]
    [InlineData(LossNormalization.StepTokens)]
    [InlineData(LossNormalization.StepLabels)]
    public void Compute_RowsAsMicroBatches_EqualsOneBatch(LossNormalization normalization)
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        TrainingBatch whole = StepBatches.Labelled(11, rows: 4);
        TrainingBatch[] rows = [.. Enumerable.Range(0, 4).Select(r => Row(whole, r))];
        Assert.True(rows.Select(r => r.Scored().Targets.Length).Distinct().Count() > 1, "the rows must differ in scored tokens");
        var step = new TrainingStep(full, new TrainingStepOptions { Normalization = normalization });
        StepLosses one = step.Compute([whole], 0, 0);
        var expected = PlainStep.Take(model);
        StepLosses four = step.Compute(rows, 0, 0);
        PlainStep.AssertEqual(expected, PlainStep.Take(model), 1e-5, "accumulated");
        Near.Equal(one.Loss, four.Loss, 0, 1e-6, "loss");
        Assert.Equal((one.ScoredTokens, one.Tokens), (four.ScoredTokens, four.Tokens));
    }

    [Fact]
    public void Compute_MicroBatchMean_WeighsMicroBatchesByRows()
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        TrainingBatch small = StepBatches.Labelled(12, rows: 1), large = StepBatches.Labelled(13, rows: 3);
        var step = new TrainingStep(full, new TrainingStepOptions { Normalization = LossNormalization.MicroBatchMean });
        double first = step.Compute([small], 0, 0).Loss, second = step.Compute([large], 0, 0).Loss;
        Near.Equal((0.25 * first) + (0.75 * second), step.Compute([small, large], 0, 0).Loss, 0, 1e-6, "loss");
    }

    [Theory]
    [InlineData(LossNormalization.StepTokens)]
    [InlineData(LossNormalization.MicroBatchMean)]
    public void Compute_MicroBatchWithoutScoredToken_ContributesNothing(LossNormalization normalization)
    {
        using LlamaModel model = TinyLlama.Create();
        var gated = new GatedModel(model, LlamaGates.Ones(model.Config.Shape, PruningAxes.Hidden));
        TrainingBatch real = StepBatches.Labelled(14), empty = new(TinyLlama.Batch(15, 5, 9), [.. Enumerable.Repeat(TrainingBatch.Ignored, 45)]);
        var step = new TrainingStep(gated, new TrainingStepOptions { Normalization = normalization });
        StepLosses alone = step.Compute([real], 0, 0);
        var expected = PlainStep.Take(model);
        gated.Begun.Clear();
        StepLosses both = step.Compute([empty, real], 3, 9);
        PlainStep.AssertEqual(expected, PlainStep.Take(model), 0, "with an empty micro-batch");
        Assert.Equal(alone.Loss, both.Loss);
        Assert.Equal(alone.Tokens + 45, both.Tokens);
        Assert.Equal([new MicroBatchKey(3, 1, 9)], gated.Begun);
        gated.Dispose();
    }

    [Fact]
    public void Compute_NothingScored_NamesTheSources()
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        TrainingBatch[] empty = [.. new[] { "wiki row 3", "books row 8" }.Select(s => new TrainingBatch(TinyLlama.Batch(1, 1, 4), [1, -100, -100, -100], source: s))];
        string message = Assert.Throws<TrainingException>(() => new TrainingStep(full, new TrainingStepOptions()).Compute(empty, 0, 0)).Message;
        Assert.Contains("wiki row 3; books row 8", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Compute_IdOrLabelOutsideTheVocabulary_IsRefusedWithoutGradients(bool asLabel)
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        TrainingBatch good = StepBatches.Labelled(1), bad = asLabel ? new TrainingBatch(TinyLlama.Batch(1, 1, 3), [0, 1, 50], source: "row 5") : new TrainingBatch(new TokenBatch(1, 3, [1, 50, 2]));
        var error = Assert.Throws<TokenDataException>(() => new TrainingStep(full, new TrainingStepOptions()).Compute([good, bad], 0, 0));
        Assert.Contains("outside the model's vocabulary of 50", error.Message, StringComparison.Ordinal);
        Assert.Empty(PlainStep.Take(model));
    }

    [Theory]
    [InlineData("layers.0")]
    [InlineData("layers.1.mlp.down_proj")]
    [InlineData("layers.2")]
    [InlineData("norm.weight")]
    [InlineData("lm_head")]
    [InlineData("embed_tokens")]
    public void Compute_OnlyAPartTrained_GivesItTheGradientsOfTheWhole(string part)
    {
        using LlamaModel model = TinyLlama.Create();
        TrainingBatch batch = StepBatches.Labelled(16);
        Dictionary<string, float[]> all;
        using (new FullModel(model))
            (_, all) = PlainStep.Run(model, batch);
        var chosen = all.Keys.Where(n => n.Replace("model.", "", StringComparison.Ordinal).StartsWith(part, StringComparison.Ordinal)).ToHashSet();
        Assert.NotEmpty(chosen);
        using var partial = new PartOfModel(model, chosen.Contains);
        foreach (TrainingStepOptions options in Both)
        {
            new TrainingStep(partial, options).Compute([batch], 0, 0);
            PlainStep.AssertEqual(all.Where(g => chosen.Contains(g.Key)).ToDictionary(), PlainStep.Take(model), 1e-5, part);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Compute_GatesThatRequireGradients_EqualsAutograd(bool gateEmbedding)
    {
        using LlamaModel model = TinyLlama.Create();
        TrainingBatch batch = StepBatches.Labelled(17, rows: 3);
        using LlamaGates gates = SoftGates.Of(model.Config.Shape, gateEmbedding);
        using var gated = new GatedModel(model, gates);
        (_, var expected) = PlainStep.Run(model, batch, gates);
        var expectedGates = SoftGates.Take(gates);
        foreach (TrainingStepOptions options in Both)
        {
            new TrainingStep(gated, options).Compute([batch], 0, 0);
            PlainStep.AssertEqual(expected, PlainStep.Take(model), 5e-5, "weights");
            PlainStep.AssertEqual(expectedGates, SoftGates.Take(gates), 5e-5, "gates");
        }
    }

    [Fact]
    public void Compute_FrozenWeightsUnderGates_GivesGradientsToTheGatesAlone()
    {
        using LlamaModel model = TinyLlama.Create();
        TrainingBatch batch = StepBatches.Labelled(18);
        using LlamaGates gates = SoftGates.Of(model.Config.Shape, true);
        PlainStep.Run(model, batch, gates);
        var expected = SoftGates.Take(gates);
        using var gated = new GatedModel(model, gates, trainsWeights: false);
        foreach (TrainingStepOptions options in Both)
        {
            new TrainingStep(gated, options).Compute([batch], 0, 0);
            PlainStep.AssertEqual(expected, SoftGates.Take(gates), 5e-5, "gates");
            Assert.Empty(PlainStep.Take(model));
        }
    }

    [Fact]
    public void Compute_GateThatIsNoLeaf_IsRefusedAndAbandoned()
    {
        using LlamaModel model = TinyLlama.Create();
        using LlamaGates gates = LlamaGates.Ones(model.Config.Shape, PruningAxes.Hidden, requiresGrad: true);
        using (no_grad())
            gates.Hidden!.requires_grad_(true);
        using Tensor own = ones(16, requires_grad: true);
        gates.Hidden!.detach_();
        gates.Hidden.add_(own);
        Assert.False(gates.Hidden.is_leaf);
        using var gated = new GatedModel(model, gates);
        Assert.Contains("computed from other tensors", Assert.Throws<TrainingException>(() => new TrainingStep(gated, Both[0]).Compute([StepBatches.Labelled(1)], 0, 0)).Message, StringComparison.Ordinal);
        Assert.Equal(1, gated.Abandoned);
    }

    [Fact]
    public void Compute_AdditionalLosses_AreWeighedByTheShareOfTokens()
    {
        using LlamaModel model = TinyLlama.Create();
        using var gated = new GatedModel(model, LlamaGates.Ones(model.Config.Shape, PruningAxes.Hidden)) { Additional = key => 1 + key.MicroBatch };
        TrainingBatch[] batches = [StepBatches.Labelled(19, rows: 1), StepBatches.Labelled(20, rows: 3)];
        double n0 = batches[0].Scored().Targets.Length, n1 = batches[1].Scored().Targets.Length;
        StepLosses losses = new TrainingStep(gated, Both[0]).Compute(batches, 0, 0);
        double expected = ((n0 * 1) + (n1 * 2)) / (n0 + n1);
        Near.Equal(expected, losses.Parts["additional"], 0, 1e-12, "additional");
        Near.Equal(losses.Parts["lm"] + expected, losses.Loss, 0, 1e-12, "loss");
    }

    [Fact]
    public void Compute_SixteenBitWeights_SumsMicroBatchesInFloat32()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(), 21, ScalarType.BFloat16);
        using var full = new FullModel(model);
        var step = new TrainingStep(full, new TrainingStepOptions { Normalization = LossNormalization.MicroBatchMean });
        TrainingBatch[] batches = [.. Enumerable.Range(0, 8).Select(i => StepBatches.Labelled(30 + i))];

        // Each alone, with the weight that it has in the step, is the same sum up to the rounding of float32.
        var sums = new Dictionary<string, float[]>();
        foreach (TrainingBatch batch in batches)
        {
            step.Compute([batch], 0, 0);
            foreach ((string name, float[] values) in PlainStep.Take(model))
                sums[name] = sums.TryGetValue(name, out float[]? sum) ? [.. sum.Zip(values, (a, b) => a + (b / 8))] : [.. values.Select(v => v / 8)];
        }

        step.Compute(batches, 0, 0);
        foreach ((string name, var weight) in model.NamedWeights())
        {
            using Tensor gradient = weight.grad!;
            Assert.True(gradient.dtype == ScalarType.Float32, name);
        }

        // The weight of one eighth is exact in 16 bits, so a sum in float32 is the same. With libtorch 2.10 a contribution is rounded to 16 bits the other way now and then
        // (seen: one element in 60,000; probably products whose last bit depends on where their operands lie in memory); a sum in 16 bits would round half of the elements otherwise.
        Dictionary<string, float[]> actual = PlainStep.Take(model);
        PlainStep.AssertEqual(sums, actual, 1.0 / 256, "sum of eight");
        (float Expected, float Actual, float Largest)[] elements = [.. sums.SelectMany(s => s.Value.Zip(actual[s.Key], (e, a) => (e, a, s.Value.Max(Math.Abs))))];
        int others = elements.Count(e => !(Math.Abs(e.Expected - e.Actual) <= 1e-6 * e.Largest));
        Assert.True(others <= elements.Length / 1000, $"{others} of {elements.Length} elements are rounded otherwise");
    }

    [Fact]
    public void Compute_SixteenBitWeights_IsNearTheGradientOfTheSameWeightsInFloat32()
    {
        using LlamaModel half = TinyLlama.Create(TinyLlama.Config(tied: true), 22, ScalarType.BFloat16);
        using var same = new LlamaModel(half.Config);
        using (no_grad())
            foreach ((var target, var source) in same.NamedWeights().Zip(half.NamedWeights()))
                target.Weight.copy_(source.Weight);
        TrainingBatch batch = StepBatches.Labelled(23);
        using var trained = new FullModel(half);
        using var reference = new FullModel(same);
        (_, var expected) = PlainStep.Run(same, batch);
        new TrainingStep(trained, Both[0]).Compute([batch], 0, 0);
        PlainStep.AssertEqual(expected, PlainStep.Take(half), 0.1, "bfloat16");
    }

    [Fact]
    public void Constructor_BadOptions_AreRefused()
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        Assert.Contains("LogitBytes is 0", Assert.Throws<TrainingException>(() => new TrainingStep(full, new TrainingStepOptions { LogitBytes = 0 })).Message, StringComparison.Ordinal);
        Assert.Contains("Normalization is 9", Assert.Throws<TrainingException>(() => new TrainingStep(full, new TrainingStepOptions { Normalization = (LossNormalization)9 })).Message, StringComparison.Ordinal);
        using LlamaModel half = TinyLlama.Create(TinyLlama.Config(), 1, ScalarType.Float16);
        using var halfTrained = new FullModel(half);
        Assert.Contains("The model is Float16", Assert.Throws<TrainingException>(() => new TrainingStep(halfTrained, new TrainingStepOptions())).Message, StringComparison.Ordinal);
        full.Dispose();
        Assert.Contains("does not require gradients", Assert.Throws<TrainingException>(() => new TrainingStep(full, new TrainingStepOptions())).Message, StringComparison.Ordinal);
    }

    private static TrainingBatch Row(TrainingBatch batch, int row)
    {
        int length = batch.Tokens.SequenceLength;
        return new TrainingBatch(
            new TokenBatch(1, length, batch.Tokens.Ids.Slice(row * length, length).ToArray()),
            batch.Labels.Slice(row * length, length).ToArray());
    }
}
