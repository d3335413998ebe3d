// Logits and multipliers as parameters: names, start, clamping, determinism, accumulated gradients, and refusals.
using System.Collections.Immutable;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Tests;

public sealed class MaskStateTests
{
    private const float Bound = 4.6051702f;
    private static readonly Dictionary<PruningAxes, ReadOnlyMemory<float>> NoTask = [];

    [Fact]
    public void Parameters_TargetShape_AreFloat32PerFamily()
    {
        using var state = new MaskState(SmallMasks.Constraint("groups blocks target"));
        Assert.Equal(
            ["masks.hidden.logits", "masks.key-value-groups.logits", "masks.query-heads.logits", "masks.intermediate.logits", "masks.layers.logits"],
            state.Logits.Select(p => p.Name));
        Assert.Equal([[1, 10], [4, 3], [12, 3], [4, 7], [1, 4]], state.Logits.Select(p => p.Value.shape));
        Assert.Equal(10, state.Multipliers.Count);
        Assert.Equal(["masks.hidden.lambda1", "masks.hidden.lambda2"], state.Multipliers.Take(2).Select(p => p.Name));
        Assert.All(state.Logits.Concat(state.Multipliers), p =>
        {
            Assert.Equal(ScalarType.Float32, p.Value.dtype);
            Assert.True(p.Value.requires_grad);
        });
        Assert.All(state.Multipliers, p => Assert.Equal(0, MaskStateExtensions.Value(p.Value)));
    }

    [Fact]
    public void Parameters_Budget_HaveOnePairOfMultipliers()
    {
        using var state = new MaskState(SmallMasks.Constraint("heads sub-blocks budget"));
        Assert.Equal(["masks.lambda1", "masks.lambda2"], state.Multipliers.Select(p => p.Name));
    }

    [Fact]
    public void Constructor_Default_StartsAtTheBoundEverywhere()
    {
        using var state = new MaskState(SmallMasks.Constraint("groups sub-blocks target"));
        foreach (MaskFamily family in state.Layout.Families)
            Assert.All(state.Logits(family.Axis).ToArray(), a => Assert.Equal(Bound, a));
        Assert.All(state.Evaluate(0).Families, f => Near.Equal(0.0020177, f.Expected, 6e-8));
    }

    [Fact]
    public void Constructor_CoFi_StartsChannelsAroundZero()
    {
        MaskLayout layout = MaskLayout.ForBudget(L0Case.Uniform(64, 4, 4, 5000, 4, 16), PruningAxes.Hidden | PruningAxes.Intermediate);
        using var state = new MaskState(new SparsityConstraint(layout, new SparsityRamp(0), 0.5), MaskInitialization.CoFi);
        float[] channels = state.Logits(PruningAxes.Intermediate).ToArray();
        Assert.All(state.Logits(PruningAxes.Hidden).ToArray(), a => Assert.Equal(Bound, a));
        Near.Equal(0, channels.Average(), 4 * 0.01 / Math.Sqrt(channels.Length));
        Near.Equal(1e-4, channels.Average(a => (double)a * a), 4e-4 * Math.Sqrt(2.0 / channels.Length));   // four sigma of the variance
        using var again = new MaskState(state.Constraint, MaskInitialization.CoFi);
        using var other = new MaskState(state.Constraint, MaskInitialization.CoFi with { Seed = 1 });
        Assert.Equal(channels, again.Logits(PruningAxes.Intermediate).ToArray());
        Assert.NotEqual(channels, other.Logits(PruningAxes.Intermediate).ToArray());
    }

    [Fact]
    public void Constructor_ImpossibleStart_IsRefused()
    {
        SparsityConstraint constraint = SmallMasks.Constraint("heads blocks target");
        Assert.Contains("standard deviation", Refused(new MaskInitialization { Deviation = -1 }), StringComparison.Ordinal);
        Assert.Contains("mean of the hidden logits is NaN", Refused(new MaskInitialization { Mean = double.NaN }), StringComparison.Ordinal);
        Assert.Contains("mean of the layers logits", Refused(new MaskInitialization { Means = ImmutableDictionary<PruningAxes, double>.Empty.Add(PruningAxes.Layers, double.PositiveInfinity) }), StringComparison.Ordinal);
        string Refused(MaskInitialization initialization) => Assert.Throws<MaskException>(() => new MaskState(constraint, initialization).Dispose()).Message;
    }

    [Fact]
    public void Sample_LogitsOutsideTheBounds_ClampsThemAndKeepsTheirGradient()
    {
        using MaskState state = Hidden();
        state.SetLogits(PruningAxes.Hidden, [9, -9, 0, float.PositiveInfinity, float.NegativeInfinity, 1, 2, 3]);
        MaskSample sample = state.Sample(new SeededMaskNoise(1));
        Assert.Equal([Bound, -Bound, 0, Bound, -Bound, 1, 2, 3], state.Logits(PruningAxes.Hidden).ToArray());
        state.SetMultipliers("hidden", 1, 0);
        state.AddGradients(sample, NoTask, 5, 1);
        Assert.All(state.LogitGradients(PruningAxes.Hidden), g => Assert.True(g < 0));
    }

    [Fact]
    public void Sample_SameNoise_SameBits()
    {
        using var state = new MaskState(SmallMasks.Constraint("groups blocks target"), new MaskInitialization { Mean = 0, Deviation = 1 });
        float[] first = Values(4), again = Values(4), other = Values(5);
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
        Assert.Contains(first, z => z is > 0 and < 1);
        float[] Values(ulong seed) => [.. state.Layout.Families.SelectMany(f => state.Sample(new SeededMaskNoise(seed)).Values[f.Axis]!.Value.ToArray())];
    }

    [Fact]
    public void Sample_EverythingZero_IsLeftToTheModel()
    {
        using MaskState state = Hidden();
        state.SetLogits(PruningAxes.Hidden, [.. Enumerable.Repeat(-9f, 8)]);
        MaskSample sample = state.Sample(new GivenNoise(_ => [.. Enumerable.Repeat(1e-4f, 8)]));
        Assert.All(sample.Values[PruningAxes.Hidden]!.Value.ToArray(), z => Assert.Equal(0, z));
        Assert.All(sample.Derivative(PruningAxes.Hidden).ToArray(), d => Assert.Equal(0, d));
    }

    [Theory]
    [InlineData(0f), InlineData(1f), InlineData(-0.5f), InlineData(float.NaN)]
    public void Sample_NoiseOutsideTheUnitInterval_IsRefused(float number)
    {
        using MaskState state = Hidden();
        MaskException e = Assert.Throws<MaskException>(() => state.Sample(new GivenNoise(_ => [0.5f, 0.5f, number, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f])));
        Assert.Contains("Entry 2 of the hidden masks", e.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(GivenNoise), e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Deterministic_RandomLogitsWithTies_KeepsTheLargestTheFirstUnitsAndTheLastBlocks()
    {
        using var state = new MaskState(SmallMasks.Constraint("groups sub-blocks target"));
        var random = new Random(3);
        foreach (MaskFamily family in state.Layout.Families)
            state.SetLogits(family.Axis, [.. Enumerable.Range(0, family.Count).Select(_ => (float)random.Next(-2, 3))]);
        MaskValues values = state.Deterministic(), again = state.Deterministic();
        foreach (MaskFamily family in state.Layout.Families)
        {
            float[] logits = state.Logits(family.Axis).ToArray(), z = values[family.Axis]!.Value.ToArray();
            Assert.Equal(z, again[family.Axis]!.Value.ToArray());
            for (int start = 0; start < z.Length; start += family.Size)
            {
                float[] row = logits[start..(start + family.Size)], expected = new float[family.Size];
                foreach (int i in Enumerable.Range(0, family.Size).OrderByDescending(i => row[i]).ThenBy(i => family.Axis < PruningAxes.Attention ? i : -i).Take(family.TargetSize!.Value))
                    expected[i] = (float)HardConcrete.Soft(row[i]);
                Assert.Equal(expected, z[start..(start + family.Size)]);
            }
        }
    }

    [Theory]
    [InlineData(true), InlineData(false)]
    public void Deterministic_TargetKeepsAllBlocks_DropsNone(bool exact)
    {
        LlamaShape source = L0Case.Uniform(8, 2, 2, 6, 32, 4);
        MaskLayout layout = MaskLayout.ForTarget(source, source with { HiddenSize = 4 }, PruningAxes.Hidden | PruningAxes.Layers);
        using var state = new MaskState(new SparsityConstraint(layout, new SparsityRamp(0)));
        Assert.Equal(0, layout[PruningAxes.Layers]!.TargetSparsity);
        Assert.DoesNotContain(0f, state.Deterministic(exact)[PruningAxes.Layers]!.Value.ToArray());
        Assert.Equal(exact ? 4 : 0, state.Deterministic(exact)[PruningAxes.Hidden]!.Value.ToArray().Count(z => z == 0));
    }

    [Fact]
    public void AddGradients_TwoMicroBatches_AddUpByTheirWeights()
    {
        SparsityConstraint constraint = SmallMasks.Constraint("groups blocks target");
        using MaskState twice = Random(constraint), once = Random(constraint);
        Dictionary<PruningAxes, ReadOnlyMemory<float>> task = SmallMasks.Random(constraint.Layout, 8, -1, 1).ToDictionary(t => t.Key, t => (ReadOnlyMemory<float>)t.Value.Select(v => (float)v).ToArray());
        MaskSample sample = twice.Sample(new SeededMaskNoise(1));
        ConstraintValue first = twice.AddGradients(sample, task, 4, 0.25);
        ConstraintValue second = twice.AddGradients(sample, NoTask, 4, 0.75);
        ConstraintValue whole = once.AddGradients(once.Sample(new SeededMaskNoise(1)), task, 4, 1);
        Assert.Equal(whole.Loss, first.Loss);
        Assert.Equal(whole.Loss, second.Loss);
        foreach (MaskFamily family in constraint.Layout.Families)
        {
            Near.Equal(once.LogitGradients(family.Axis), twice.LogitGradients(family.Axis), 1e-6, what: family.Name);
            float[] gradient = once.LogitGradients(family.Axis);
            for (int i = 0; i < gradient.Length; i++)
                Near.Equal(
                    (task[family.Axis].Span[i] * sample.Derivative(family.Axis).Span[i]) + (whole.ScoreGradients[family.Axis][i] * HardConcrete.Score(once.Logits(family.Axis)[i]).Derivative),
                    gradient[i], 1e-6, what: $"{family.Name} {i}");
            (Parameter linear, _) = once.Pair(family.Name);
            (Parameter sum, _) = twice.Pair(family.Name);
            Near.Equal(MaskStateExtensions.Gradient(linear)[0], MaskStateExtensions.Gradient(sum)[0], 1e-7);
        }
    }

    [Fact]
    public void AddGradients_ThatDoNotFit_AreRefusedAndChangeNothing()
    {
        using MaskState state = Hidden();
        MaskSample sample = state.Sample(new SeededMaskNoise(1));
        MaskException length = Assert.Throws<MaskException>(() => state.AddGradients(sample, new Dictionary<PruningAxes, ReadOnlyMemory<float>> { [PruningAxes.Hidden] = new float[7] }, 0, 1));
        Assert.Contains("There are 7 gradients of the hidden masks, which have 8 entries", length.Message, StringComparison.Ordinal);
        MaskException axis = Assert.Throws<MaskException>(() => state.AddGradients(sample, new Dictionary<PruningAxes, ReadOnlyMemory<float>> { [PruningAxes.Mlp] = new float[2] }, 0, 1));
        Assert.Contains("Mlp, which has no mask. Masks: hidden.", axis.Message, StringComparison.Ordinal);
        using var other = new MaskState(SmallMasks.Constraint("heads blocks target"));
        Assert.Contains("other masks", Assert.Throws<MaskException>(() => state.AddGradients(other.Sample(new SeededMaskNoise(1)), NoTask, 0, 1)).Message, StringComparison.Ordinal);
        Assert.Contains("weight of the micro-batch is NaN", Assert.Throws<MaskException>(() => state.AddGradients(sample, NoTask, 0, double.NaN)).Message, StringComparison.Ordinal);
        Assert.All(state.Logits.Concat(state.Multipliers), p => Assert.Null(p.Value.grad));
    }

    [Fact]
    public void EveryUse_LogitIsNaN_IsRefused()
    {
        using MaskState state = Hidden();
        state.SetLogits(PruningAxes.Hidden, [1, 2, float.NaN, 4, 5, 6, 7, 8]);
        foreach (Action use in new Action[] { state.Clamp, () => state.Sample(new SeededMaskNoise(1)), () => state.Deterministic(), () => state.Scores(), () => state.Evaluate(0) })
            Assert.Contains("Logit 2 of the hidden masks is NaN", Assert.Throws<MaskException>(use).Message, StringComparison.Ordinal);
    }

    private static MaskState Hidden()
    {
        LlamaShape source = L0Case.Uniform(8, 2, 2, 6, 2, 4);
        return new MaskState(new SparsityConstraint(MaskLayout.ForTarget(source, source with { HiddenSize = 4 }), new SparsityRamp(10)));
    }

    private static MaskState Random(SparsityConstraint constraint)
    {
        var state = new MaskState(constraint, new MaskInitialization { Mean = 0, Deviation = 1 });
        foreach ((string name, int i) in constraint.Names.Select((n, i) => (n, i)))
            state.SetMultipliers(name, 0.5f + i, 2 - i);
        return state;
    }
}

/// <summary>A micro-batch with masks frees every tensor that it makes.</summary>
[Collection("tensor count")]
public sealed class MaskStateLeakTests
{
    [Fact]
    public void MicroBatch_Repeated_LeavesNoTensor()
    {
        SparsityConstraint constraint = SmallMasks.Constraint("groups blocks target");
        using var state = new MaskState(constraint);
        var task = constraint.Layout.Families.ToDictionary(f => f.Axis, f => new ReadOnlyMemory<float>(new float[f.Count]));
        LeakProbe.AssertNoGrowth(() =>
        {
            for (int i = 0; i < 3; i++)
                state.AddGradients(state.Sample(new SeededMaskNoise((ulong)i)), task, i, 1);
            state.Deterministic();
            foreach (TrainableParameter parameter in state.Logits.Concat(state.Multipliers))
                parameter.Value.grad = null;
        });
        LeakProbe.AssertNoGrowth(() => new MaskState(constraint).Dispose(), parametersPerRun: 15);
    }

    [Fact]
    public void Parameters_MadeInsideACallersScope_OutliveIt()
    {
        MaskState state;
        using (NewDisposeScope())
            state = new MaskState(SmallMasks.Constraint("heads blocks target"));
        using (state)
            Assert.Equal(0.998, state.Scores()[PruningAxes.Hidden][0], 3);
    }
}
