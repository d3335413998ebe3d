// The Lagrangian against finite differences, and the expected size against plain counting.
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;

namespace LlmShearing.Masks.Tests;

public sealed class SparsityConstraintTests
{
    public static TheoryData<string> Layouts => SmallMasks.Names;

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Evaluate_EveryLogitAndMultiplier_EqualsFiniteDifferences(string name)
    {
        const double h = 1e-5;
        SparsityConstraint constraint = SmallMasks.Constraint(name);
        Dictionary<PruningAxes, double[]> logits = SmallMasks.Random(constraint.Layout, 1, -4, 4);
        MultiplierPair[] multipliers = SmallMasks.RandomMultipliers(constraint, 2);
        double Loss() => constraint.Evaluate(SmallMasks.Scores(logits), multipliers, 4).Loss;
        ConstraintValue value = constraint.Evaluate(SmallMasks.Scores(logits), multipliers, 4);
        foreach ((PruningAxes axis, double[] entries) in logits)
            for (int i = 0; i < entries.Length; i++)
            {
                double a = entries[i];
                entries[i] = a + h;
                double up = Loss();
                entries[i] = a - h;
                double slope = (up - Loss()) / (2 * h);
                entries[i] = a;
                Near.Equal(slope, value.ScoreGradients[axis][i] * HardConcrete.Score(a).Derivative, 1e-9, what: $"{axis} {i}");
            }

        for (int i = 0; i < multipliers.Length; i++)
        {
            MultiplierPair pair = multipliers[i];
            double Slope(MultiplierPair up, MultiplierPair down)
            {
                multipliers[i] = up;
                double above = Loss();
                multipliers[i] = down;
                double slope = (above - Loss()) / (2 * h);
                multipliers[i] = pair;
                return slope;
            }

            Near.Equal(Slope(pair with { Linear = pair.Linear + h }, pair with { Linear = pair.Linear - h }), value.MultiplierGradients[i].Linear, 1e-9);
            Near.Equal(Slope(pair with { Quadratic = pair.Quadratic + h }, pair with { Quadratic = pair.Quadratic - h }), value.MultiplierGradients[i].Quadratic, 1e-9);
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void ExpectedParameters_RandomScores_EqualsOuterProducts(string name)
    {
        SparsityConstraint constraint = SmallMasks.Constraint(name);
        Dictionary<PruningAxes, double[]> scores = SmallMasks.Random(constraint.Layout, 3, 0.05, 1);
        Near.Equal(OuterProducts(constraint.Layout, scores), constraint.ExpectedParameters(scores), 0, 1e-12);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void ExpectedParameters_AllOnes_EqualsThePrunableMatrices(string name)
    {
        SparsityConstraint constraint = SmallMasks.Constraint(name);
        LlamaShape source = constraint.Layout.Source;
        double expected = Matrices(source);
        Assert.Equal(expected, constraint.Weights.Prunable);
        Near.Equal(expected, constraint.ExpectedParameters(SmallMasks.Random(constraint.Layout, 0, 1, 1)), 0, 1e-12);
    }

    [Theory]
    [InlineData("heads blocks target"), InlineData("heads sub-blocks target"), InlineData("groups blocks target"), InlineData("groups sub-blocks target")]
    public void ExpectedParameters_ExactlyTheTargetShape_EqualsItsMatrices(string name)
    {
        SparsityConstraint constraint = SmallMasks.Constraint(name);
        MaskLayout layout = constraint.Layout;
        var random = new Random(5);
        Dictionary<PruningAxes, double[]> scores = layout.Families.ToDictionary(f => f.Axis, f => new double[f.Count]);
        foreach (MaskFamily family in layout.Families)
        {
            // Sub-blocks go at the same places, so that blocks of the target shape remain.
            int[] first = Chosen(family);
            for (int row = 0; row < family.Rows; row++)
                foreach (int i in family.Axis is PruningAxes.Attention or PruningAxes.Mlp ? [0, 2, 3] : row == 0 ? first : Chosen(family))
                    scores[family.Axis][(row * family.Size) + i] = 1;
        }

        double expected = Matrices(layout.Target!);
        Assert.Equal(expected, constraint.Weights.PrunableOfTarget);
        ConstraintValue value = constraint.Evaluate(scores, SmallMasks.RandomMultipliers(constraint, 6), 100);
        Near.Equal(expected, value.ExpectedParameters, 0, 1e-12);
        Near.Equal(value.TargetSparsity, value.ExpectedSparsity, 1e-12);
        Near.Equal(0, value.Loss, 1e-12, what: "nothing is violated");
        int[] Chosen(MaskFamily family) => [.. Enumerable.Range(0, family.Size).OrderBy(_ => random.Next()).Take(family.TargetSize!.Value)];
    }

    [Fact]
    public void Evaluate_RowsThatDeviate_PaysForEachRow()
    {
        // Half of the rows too full and half too empty: no linear error, but a quadratic one.
        MaskLayout layout = MaskLayout.ForTarget(L0Case.Uniform(8, 2, 2, 10, 4, 4), L0Case.Uniform(8, 2, 2, 5, 4, 4));
        var constraint = new SparsityConstraint(layout, new SparsityRamp(0));
        var scores = new Dictionary<PruningAxes, double[]> { [PruningAxes.Intermediate] = [.. Enumerable.Range(0, 40).Select(i => i / 10 % 2 == 0 ? 0.7 : 0.3)] };
        ConstraintValue value = constraint.Evaluate(scores, [new MultiplierPair(3, 2)], 0);
        Near.Equal(0, value.MultiplierGradients[0].Linear, 1e-12);
        Near.Equal(0.04, value.MultiplierGradients[0].Quadratic, 1e-12);
        Near.Equal(0.08, value.Loss, 1e-12);
    }

    [Fact]
    public void Evaluate_TargetShape_LossIgnoresTheTotalSize()
    {
        SparsityConstraint constraint = SmallMasks.Constraint("heads blocks target");
        var other = new SparsityConstraint(constraint.Layout, constraint.Ramp, null, constraint.Weights with { PerQueryHead = 1e6, PerIntermediateChannel = 5 });
        Dictionary<PruningAxes, double[]> scores = SmallMasks.Random(constraint.Layout, 1, 0.1, 1);
        MultiplierPair[] multipliers = SmallMasks.RandomMultipliers(constraint, 2);
        ConstraintValue ours = constraint.Evaluate(scores, multipliers, 3), theirs = other.Evaluate(scores, multipliers, 3);
        Assert.NotEqual(ours.ExpectedSparsity, theirs.ExpectedSparsity);
        Assert.Equal(ours.Loss, theirs.Loss);
        Assert.Equal(ours.ScoreGradients[PruningAxes.Hidden], theirs.ScoreGradients[PruningAxes.Hidden]);
    }

    [Fact]
    public void Evaluate_SparsityAtTarget_SlopeIsLambda1()
    {
        MaskLayout layout = MaskLayout.ForBudget(L0Case.Uniform(8, 2, 2, 10, 4, 4), PruningAxes.Intermediate);
        var constraint = new SparsityConstraint(layout, new SparsityRamp(0), 0.5);
        double At(double score, out ConstraintValue value)
        {
            value = constraint.Evaluate(new Dictionary<PruningAxes, double[]> { [PruningAxes.Intermediate] = [.. Enumerable.Repeat(score, 40)] }, [new MultiplierPair(0.7, 11)], 0);
            return value.ExpectedSparsity;
        }

        Near.Equal(0.5, At(0.5, out ConstraintValue exact), 1e-12);
        Near.Equal(0, exact.Loss, 1e-12);
        Near.Equal(-0.7 / 40, exact.ScoreGradients[PruningAxes.Intermediate][0], 1e-12, what: "lambda1 * ds / d score");
        At(0.4, out ConstraintValue sparser);
        At(0.6, out ConstraintValue denser);
        Assert.True(sparser.MultiplierGradients[0].Linear > 0 && denser.MultiplierGradients[0].Linear < 0, "ascent raises lambda1 when too sparse");
        Assert.True(sparser.MultiplierGradients[0].Quadratic > 0 && denser.MultiplierGradients[0].Quadratic > 0, "ascent never lowers lambda2");
    }

    [Theory]
    [InlineData("heads blocks target"), InlineData("groups blocks target"), InlineData("groups sub-blocks budget"), InlineData("heads blocks budget")]
    public void Optimise_WithoutTask_MeetsTheConstraint(string name)
    {
        SparsityConstraint constraint = SmallMasks.Constraint(name, warmup: 300, start: 0);
        var simulation = new ConstraintSimulation(constraint);
        var schedule = new LearningRateSchedule(ScheduleKind.ComposerCosine, 1500, 150, 0.1);
        for (int step = 0; step < 1500; step++)
            simulation.Update(simulation.Forward(step), schedule.Factor(step));
        ConstraintValue end = simulation.Forward(1500);
        if (constraint.Layout.Target is null)
            Near.Equal(end.TargetSparsity, end.ExpectedSparsity, 0.01);
        foreach (FamilySparsity family in end.Families.Where(f => f.Target is not null))
            Near.Equal(family.Target!.Value, family.Expected, 0.01, what: family.Family.Name);
    }

    [Fact]
    public void Constructor_SparsityThatDoesNotFit_IsRefused()
    {
        MaskLayout target = SmallMasks.Layout("heads blocks target"), budget = SmallMasks.Layout("heads blocks budget");
        var ramp = new SparsityRamp(0);
        Assert.Contains("give the total sparsity", Assert.Throws<MaskException>(() => new SparsityConstraint(budget, ramp)).Message, StringComparison.Ordinal);
        Assert.Contains("Give one of the two", Assert.Throws<MaskException>(() => new SparsityConstraint(target, ramp, 0.5)).Message, StringComparison.Ordinal);
        foreach (double share in new[] { 0, 1, -0.1, 1.5, double.NaN })
            Assert.Contains("inside (0, 1)", Assert.Throws<MaskException>(() => new SparsityConstraint(budget, ramp, share)).Message, StringComparison.Ordinal);
        Assert.Contains("Prunable", Assert.Throws<MaskException>(
            () => new SparsityConstraint(budget, ramp, 0.5, ParameterWeights.Of(budget) with { Prunable = 0 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluate_ScoresOrMultipliersThatDoNotFit_IsRefused()
    {
        SparsityConstraint constraint = SmallMasks.Constraint("groups blocks target");
        Dictionary<PruningAxes, double[]> scores = SmallMasks.Random(constraint.Layout, 1, 0.1, 1);
        Assert.Contains("There are 1 pairs", Assert.Throws<MaskException>(() => constraint.Evaluate(scores, [default], 0)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => constraint.Evaluate(scores, SmallMasks.RandomMultipliers(constraint, 1), -1));
        scores[PruningAxes.Hidden] = new double[9];
        Assert.Contains("9 hidden scores", Assert.Throws<MaskException>(() => constraint.ExpectedParameters(scores)).Message, StringComparison.Ordinal);
        scores.Remove(PruningAxes.Hidden);
        Assert.Contains("no hidden scores", Assert.Throws<MaskException>(() => constraint.ExpectedParameters(scores)).Message, StringComparison.Ordinal);
    }

    // Projections of all blocks.
    private static double Matrices(LlamaShape shape)
    {
        long blocks = Enumerable.Range(0, shape.Layers.Length).Sum(shape.BlockParameterCount);
        return blocks - (2L * shape.HiddenSize * shape.Layers.Length);   // two norms a block
    }

    // Every single parameter with the product of the scores of the units that it belongs to.
    private static double OuterProducts(MaskLayout layout, Dictionary<PruningAxes, double[]> scores)
    {
        LlamaShape shape = layout.Source;
        LayerShape l = shape.Layers[0];
        int[] owner = l.KeyValueHeadOfQueryHead();
        double Score(PruningAxes axis, int i) => scores.TryGetValue(axis, out double[]? s) ? s[i] : 1;
        double total = 0;
        for (int layer = 0; layer < shape.Layers.Length; layer++)
            for (int d = 0; d < shape.HiddenSize; d++)
            {
                double attention = Score(PruningAxes.Hidden, d) * Score(PruningAxes.Layers, layer) * Score(PruningAxes.Attention, layer);
                double mlp = Score(PruningAxes.Hidden, d) * Score(PruningAxes.Layers, layer) * Score(PruningAxes.Mlp, layer);
                for (int q = 0; q < l.QueryHeads; q++)
                    total += 2 * shape.HeadDim * attention * Score(PruningAxes.KeyValueGroups, (layer * l.KeyValueHeads) + owner[q])
                        * Score(PruningAxes.QueryHeads, (layer * l.QueryHeads) + q);
                for (int k = 0; k < l.KeyValueHeads; k++)
                    total += 2 * shape.HeadDim * attention * (l.KeyValueHeads == l.QueryHeads
                        ? Score(PruningAxes.QueryHeads, (layer * l.QueryHeads) + k)
                        : Score(PruningAxes.KeyValueGroups, (layer * l.KeyValueHeads) + k));
                for (int i = 0; i < l.IntermediateSize; i++)
                    total += 3 * mlp * Score(PruningAxes.Intermediate, (layer * l.IntermediateSize) + i);
            }

        return total;
    }
}
