// The constraint alone over a whole run of 3,200 steps in double precision: the closed forms with Adam written out.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;

namespace LlmShearing.Masks.Tests;

public sealed class ConstraintDynamicsTests
{
    private const string File = "shearing/l0/constraint-dynamics.json";

    [GoldenFact(File)]
    public void Run_ThreeThousandStepsInDouble_MatchesReference()
    {
        JsonNode json = JsonNode.Parse(System.IO.File.ReadAllText(Goldens.Path(File)))!;
        LlamaShape source = L0Case.Shape(json["base"]!);
        string[] families = [.. json["pruning_modules"]!.AsArray().Select(n => n!.GetValue<string>())];
        MaskLayout layout = MaskLayout.ForTarget(
            source, L0Case.Shape(json["target"]!, source.HeadDim), families.Aggregate(PruningAxes.None, (all, f) => all | L0Case.AxisOf[f]));
        var constraint = new SparsityConstraint(layout, new SparsityRamp(json["lagrangian_warmup_steps"]!.GetValue<long>()));
        int steps = json["max_steps"]!.GetValue<int>();
        var schedule = new LearningRateSchedule(ScheduleKind.ComposerCosine, steps, json["t_warmup"]!.GetValue<long>(), json["alpha_f"]!.GetValue<double>());
        Dictionary<long, JsonNode> expected = json["steps"]!.AsArray().ToDictionary(s => s!["step"]!.GetValue<long>(), s => s!);
        var simulation = new ConstraintSimulation(constraint);
        double previous = 0;
        int compared = 0;
        for (long step = 0; step < steps; step++)
        {
            ConstraintValue value = simulation.Forward(step);
            Assert.True(simulation.Multipliers[0].Quadratic >= previous, "lambda2 never falls");
            previous = simulation.Multipliers[0].Quadratic;
            if (expected.TryGetValue(step, out JsonNode? row))
            {
                Near.Equal(row["lr"]![1]!.GetValue<double>(), schedule.Factor(step), 1e-12);
                Near.Equal(row["lagrangian_loss"]!.GetValue<double>(), value.Loss, 1e-6, what: $"loss at {step}");
                foreach (string family in families)
                {
                    MultiplierPair pair = simulation.Multipliers[constraint.Names.IndexOf(MaskFamily.NameOf(L0Case.AxisOf[family]))];
                    Near.Equal(row["loga"]![family]!.GetValue<double>(), simulation.Logits[L0Case.AxisOf[family]][0], 1e-6, what: $"logit {family} at {step}");
                    Near.Equal(row["lambdas"]!["lambda_1_" + family]!.GetValue<double>(), pair.Linear, 1e-6, what: $"lambda1 {family} at {step}");
                    Near.Equal(row["lambdas"]!["lambda_2_" + family]!.GetValue<double>(), pair.Quadratic, 1e-6, what: $"lambda2 {family} at {step}");
                }

                compared++;
            }

            simulation.Update(value, schedule.Factor(step));
        }

        Assert.Equal(expected.Count, compared);
        foreach (string family in families)
        {
            MultiplierPair pair = simulation.Multipliers[constraint.Names.IndexOf(MaskFamily.NameOf(L0Case.AxisOf[family]))];
            Near.Equal(json["final_lambdas"]!["lambda_1_" + family]!.GetValue<double>(), pair.Linear, 1e-6);
            Near.Equal(json["final_lambdas"]!["lambda_2_" + family]!.GetValue<double>(), pair.Quadratic, 1e-6);
        }

        foreach (FamilySparsity sparsity in simulation.Forward(steps).Families)
            Near.Equal(sparsity.Target!.Value, sparsity.Expected, 0.01, what: $"{sparsity.Family.Name} at the end");
    }
}

/// <summary>Logits and multipliers in double precision under Adam (betas 0.9 and 0.95, epsilon 1e-8, rate 1), without a task.</summary>
internal sealed class ConstraintSimulation
{
    private readonly SparsityConstraint _constraint;
    private readonly Dictionary<PruningAxes, double[]> _moments = [];
    private readonly double[] _multiplierMoments;
    private int _updates;

    public ConstraintSimulation(SparsityConstraint constraint)
    {
        _constraint = constraint;
        Multipliers = [.. constraint.Names.Select(_ => default(MultiplierPair))];
        _multiplierMoments = new double[4 * Multipliers.Length];
        foreach (MaskFamily family in constraint.Layout.Families)
        {
            Logits.Add(family.Axis, [.. Enumerable.Repeat(5.0, family.Count)]);
            _moments.Add(family.Axis, new double[2 * family.Count]);
        }
    }

    public Dictionary<PruningAxes, double[]> Logits { get; } = [];

    public MultiplierPair[] Multipliers { get; }

    public ConstraintValue Forward(long step)
    {
        foreach (double[] logits in Logits.Values)
            for (int i = 0; i < logits.Length; i++)
                logits[i] = HardConcrete.Clamp(logits[i]);
        return _constraint.Evaluate(Logits.ToDictionary(l => l.Key, l => l.Value.Select(a => HardConcrete.Score(a).Value).ToArray()), Multipliers, step);
    }

    public void Update(ConstraintValue value, double rate)
    {
        _updates++;
        foreach ((PruningAxes axis, double[] logits) in Logits)
            for (int i = 0; i < logits.Length; i++)
                logits[i] -= Adam(_moments[axis].AsSpan(2 * i, 2), value.ScoreGradients[axis][i] * HardConcrete.Score(logits[i]).Derivative, rate);
        for (int i = 0; i < Multipliers.Length; i++)
        {
            MultiplierPair gradient = value.MultiplierGradients[i];
            Multipliers[i] = new MultiplierPair(
                Multipliers[i].Linear + Adam(_multiplierMoments.AsSpan(4 * i, 2), gradient.Linear, rate),
                Multipliers[i].Quadratic + Adam(_multiplierMoments.AsSpan((4 * i) + 2, 2), gradient.Quadratic, rate));
        }
    }

    private double Adam(Span<double> moments, double gradient, double rate)
    {
        moments[0] = (0.9 * moments[0]) + (0.1 * gradient);
        moments[1] = (0.95 * moments[1]) + (0.05 * gradient * gradient);
        double denominator = (Math.Sqrt(moments[1]) / Math.Sqrt(1 - Math.Pow(0.95, _updates))) + 1e-8;
        return rate / (1 - Math.Pow(0.9, _updates)) * moments[0] / denominator;
    }
}
