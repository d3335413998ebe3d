// Whether a run of mask learning has reached what it was to reach.
using System.Collections.Immutable;
using System.Globalization;

namespace LlmShearing.Masks.Learning;

/// <summary>Distance of learned masks from their target.</summary>
public sealed record MaskConvergence
{
    /// <summary>How far an expected sparsity may be from its target to count as reached.</summary>
    public const double Tolerance = 0.01;

    private readonly long _step;

    internal MaskConvergence(ConstraintValue value, long step)
    {
        _step = step;
        Gaps = value.Families.Any(f => f.Target is not null)
            ? [.. value.Families.Where(f => f.Target is not null).Select(f => new MaskGap(f.Family.Name, f.Expected, f.Target!.Value))]
            : [new MaskGap("total", value.ExpectedSparsity, value.TargetSparsity)];
    }

    /// <summary>Each constrained sparsity, what it is and what it is to be.</summary>
    public ImmutableArray<MaskGap> Gaps { get; }

    /// <summary>Whether every gap is within <see cref="Tolerance"/>.</summary>
    public bool IsReached => Gaps.All(g => g.Size <= Tolerance);

    /// <summary>What is missing and what would help; null when everything is reached.</summary>
    public string? Problem
    {
        get
        {
            if (IsReached)
                return null;
            string gaps = string.Join(", ", Gaps.Where(g => g.Size > Tolerance).Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Name} {g.Expected:0.000} of {g.Target:0.000}")));
            double worst = Gaps.Max(g => g.Target > 0 ? g.Target / Math.Max(g.Expected, 0.1 * g.Target) : 1);
            long needed = (long)Math.Ceiling(_step * Math.Clamp(worst, 1.25, 10));
            return $"After {_step} steps the masks have not reached their target (sparsity {gaps}; within {Tolerance.ToString(CultureInfo.InvariantCulture)} is wanted). Units that the masks still want would be cut. "
                + $"Train for about {needed} steps, or raise the learning rate of the masks.";
        }
    }
}

/// <summary>One constrained sparsity.</summary>
/// <param name="Name">Family, or "total".</param>
/// <param name="Expected">Expected sparsity.</param>
/// <param name="Target">Sparsity wanted.</param>
public sealed record MaskGap(string Name, double Expected, double Target)
{
    /// <summary>|expected - target|.</summary>
    public double Size => Math.Abs(Expected - Target);
}
