// The constraint that makes masks reach a shape, or a number of parameters: values and gradients in closed form.
using System.Collections.Immutable;

namespace LlmShearing.Masks;

/// <summary>
/// The Lagrangian of learned masks (LLM-Shearing, models/l0_module.py; CoFi, arXiv 2204.00408). With a target shape every family has its own pair of multipliers and
/// the loss is the sum over families of mean over rows of lambda1 (s - t) + lambda2 (s - t)², where s is the row's expected sparsity 1 - sum(scores) / n and t the
/// sparsity wanted in the step. With a budget there is one pair, and s is the expected sparsity of all prunable parameters. Multipliers are moved by gradient
/// ascent. Holds no state and may be shared by threads.
/// </summary>
public sealed class SparsityConstraint
{
    private readonly ExpectedSize _size;
    private readonly double _totalSparsity;

    /// <summary>Creates the constraint.</summary>
    /// <param name="layout">The families; with or without a target shape.</param>
    /// <param name="ramp">How the wanted sparsity rises.</param>
    /// <param name="totalSparsity">Share of the prunable parameters to remove, inside (0, 1); needed without a target shape, and null with one.</param>
    /// <param name="weights">How many parameters a unit stands for; null = <see cref="ParameterWeights.Of"/>.</param>
    /// <exception cref="MaskException">The sparsity is out of range or does not go with the layout.</exception>
    public SparsityConstraint(MaskLayout layout, SparsityRamp ramp, double? totalSparsity = null, ParameterWeights? weights = null)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(ramp);
        if (layout.Target is null && totalSparsity is null)
            throw new MaskException("These masks have no target shape: give the total sparsity, for example 0.5.");
        if (layout.Target is not null && totalSparsity is not null)
            throw new MaskException($"A target shape and a total sparsity of {totalSparsity} were given. Give one of the two.");
        if (totalSparsity is { } share && !(share > 0 && share < 1))
            throw new MaskException($"The total sparsity is {share}; it must be inside (0, 1).");
        (Layout, Ramp, Weights) = (layout, ramp, weights ?? ParameterWeights.Of(layout));
        if (!(Weights.Prunable > 0))
            throw new MaskException($"{nameof(ParameterWeights.Prunable)} is {Weights.Prunable}; it must be above 0.");
        _size = new ExpectedSize(layout, Weights);
        _totalSparsity = totalSparsity ?? 1 - ((Weights.PrunableOfTarget ?? Weights.Prunable) / Weights.Prunable);
        Names = layout.Target is null ? ["total"] : [.. layout.Families.Select(f => f.Name)];
    }

    /// <summary>The families.</summary>
    public MaskLayout Layout { get; }

    /// <summary>How the wanted sparsity rises.</summary>
    public SparsityRamp Ramp { get; }

    /// <summary>How many parameters a unit stands for.</summary>
    public ParameterWeights Weights { get; }

    /// <summary>What has multipliers: the names of the families in the order of the layout, or "total" alone under a budget.</summary>
    public ImmutableArray<string> Names { get; }

    /// <summary>Share of the prunable parameters to remove in the end.</summary>
    public double TotalSparsity => _totalSparsity;

    /// <summary>The expected number of prunable parameters.</summary>
    /// <param name="scores">P(z > 0) of every entry by axis, flat, for every family of the layout.</param>
    /// <returns>A count.</returns>
    /// <exception cref="MaskException">The scores do not fit the layout.</exception>
    public double ExpectedParameters(IReadOnlyDictionary<PruningAxes, double[]> scores)
    {
        Check(scores);
        return _size.Evaluate(scores);
    }

    /// <summary>The Lagrangian and its derivatives.</summary>
    /// <param name="scores">P(z > 0) of every entry by axis, flat, for every family of the layout.</param>
    /// <param name="multipliers">One pair for each of <see cref="Names"/>.</param>
    /// <param name="step">Optimizer steps completed, 0 or more.</param>
    /// <returns>Loss, derivatives and values to log.</returns>
    /// <exception cref="MaskException">Scores or multipliers do not fit the layout.</exception>
    public ConstraintValue Evaluate(IReadOnlyDictionary<PruningAxes, double[]> scores, IReadOnlyList<MultiplierPair> multipliers, long step)
    {
        Check(scores);
        ArgumentNullException.ThrowIfNull(multipliers);
        if (multipliers.Count != Names.Length)
            throw new MaskException($"There are {multipliers.Count} pairs of multipliers; the constraint has {Names.Length}: {string.Join(", ", Names)}.");
        Dictionary<PruningAxes, double[]> gradients = Layout.Families.ToDictionary(f => f.Axis, f => new double[f.Count]);
        var multiplierGradients = ImmutableArray.CreateBuilder<MultiplierPair>();
        var sparsities = ImmutableArray.CreateBuilder<FamilySparsity>();
        double loss = 0;
        foreach (MaskFamily family in Layout.Families)
        {
            double[] rows = RowSparsities(family, scores[family.Axis]);
            double? target = family.TargetSparsity is { } full ? Ramp.At(step, full) : null;
            sparsities.Add(new FamilySparsity(family, rows.Sum() / rows.Length, target));
            if (target is not { } wanted)
                continue;
            MultiplierPair pair = multipliers[multiplierGradients.Count];
            double linear = 0, quadratic = 0;
            for (int row = 0; row < rows.Length; row++)
            {
                double error = rows[row] - wanted;
                linear += error;
                quadratic += error * error;
                double slope = -(pair.Linear + (2 * pair.Quadratic * error)) / ((double)rows.Length * family.Size);
                gradients[family.Axis].AsSpan(row * family.Size, family.Size).Fill(slope);
            }

            multiplierGradients.Add(new MultiplierPair(linear / rows.Length, quadratic / rows.Length));
            loss += Loss(pair, multiplierGradients[^1]);
        }

        double size = _size.Evaluate(scores), sparsity = 1 - (size / Weights.Prunable), totalTarget = Ramp.At(step, _totalSparsity);
        if (Layout.Target is null)
        {
            double error = sparsity - totalTarget;
            MultiplierPair pair = multipliers[0];
            multiplierGradients.Add(new MultiplierPair(error, error * error));
            loss = Loss(pair, multiplierGradients[0]);
            _size.Evaluate(scores, -(pair.Linear + (2 * pair.Quadratic * error)) / Weights.Prunable, gradients);
        }

        return new ConstraintValue
        {
            Loss = loss,
            ScoreGradients = gradients,
            MultiplierGradients = multiplierGradients.ToImmutable(),
            Families = sparsities.ToImmutable(),
            ExpectedSparsity = sparsity,
            TargetSparsity = totalTarget,
            ExpectedParameters = size,
        };
    }

    // The Lagrangian is linear in the multipliers.
    private static double Loss(MultiplierPair pair, MultiplierPair gradient) => (pair.Linear * gradient.Linear) + (pair.Quadratic * gradient.Quadratic);

    private static double[] RowSparsities(MaskFamily family, double[] scores)
    {
        double[] rows = new double[family.Rows];
        for (int row = 0; row < rows.Length; row++)
        {
            double alive = 0;
            foreach (double s in scores.AsSpan(row * family.Size, family.Size))
                alive += s;
            rows[row] = 1 - (alive / family.Size);
        }

        return rows;
    }

    private void Check(IReadOnlyDictionary<PruningAxes, double[]> scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        foreach (MaskFamily family in Layout.Families)
        {
            if (!scores.TryGetValue(family.Axis, out double[]? entries))
                throw new MaskException($"There are no {family.Name} scores. Give one for each of the {family.Count} entries.");
            if (entries.Length != family.Count)
                throw new MaskException($"There are {entries.Length} {family.Name} scores; the masks have {family.Count} entries.");
        }
    }
}
