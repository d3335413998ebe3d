// How the loss of a domain falls with the size of the model, to predict what a model of another size should reach.
using System.Globalization;

namespace LlmShearing.Data.Domains;

/// <summary>A measured loss.</summary>
/// <param name="Parameters">Size of the model: all its parameters, embeddings included, above 0.</param>
/// <param name="Loss">Mean loss in nats per token, 0 or more.</param>
public readonly record struct ScalingLawPoint(double Parameters, double Loss);

/// <summary>
/// loss(N) = A / N^B + C for models of N parameters that saw the same data (Hoffmann et al. 2022 without the term for data; LLM-Shearing,
/// scaling_law/reference_loss_estimation.ipynb). C is the loss that no size falls below.
/// </summary>
/// <param name="A">Above 0.</param>
/// <param name="B">Exponent, above 0.</param>
/// <param name="C">In nats per token.</param>
public sealed record ScalingLaw(double A, double B, double C)
{
    // Sizes nearer to each other than this say nothing about the law.
    private const double LeastStep = 1e-6;

    /// <summary>The loss predicted for a size.</summary>
    /// <param name="parameters">All parameters of the model, embeddings included.</param>
    /// <returns>Nats per token.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The size is not above 0.</exception>
    public double LossAt(double parameters)
    {
        CheckSize(parameters);
        return (A * Math.Pow(parameters, -B)) + C;
    }

    /// <summary>Finds the law: exactly through three points, by least squares through more.</summary>
    /// <param name="points">Measured losses, in any order, of at least three different sizes.</param>
    /// <returns>The law, and how far to trust it.</returns>
    /// <exception cref="ReferenceLossException">There are fewer than three points, a size is there twice, a number is out of range, or no such law fits: the losses do not
    /// fall with size, or do not flatten.</exception>
    public static ScalingLawFit Fit(IEnumerable<ScalingLawPoint> points)
    {
        ArgumentNullException.ThrowIfNull(points);
        ScalingLawPoint[] sorted = [.. points.OrderBy(p => p.Parameters)];
        foreach ((double parameters, double loss) in sorted)
        {
            if (!double.IsFinite(parameters) || parameters <= 0)
                throw new ReferenceLossException(Text($"A model size is {parameters}; it must be a number of parameters above 0."));
            if (!double.IsFinite(loss) || loss < 0)
                throw new ReferenceLossException(Text($"The loss measured at {parameters} parameters is {loss}; it must be a number of nats per token, 0 or more."));
        }

        if (sorted.Length < 3)
            throw new ReferenceLossException($"A scaling law needs losses of at least 3 model sizes, there are {sorted.Length}. With fewer, use the losses of the model before pruning as reference losses.");
        for (int i = 1; i < sorted.Length; i++)
            if (sorted[i].Parameters < sorted[i - 1].Parameters * (1 + LeastStep))
                throw new ReferenceLossException(Text($"The sizes {sorted[i - 1].Parameters} and {sorted[i].Parameters} are equal or nearly so. Give one loss for each size, and sizes that differ."));
        return new ScalingLawFit(ScalingLawSolver.Solve(sorted), sorted);
    }

    internal static void CheckSize(double parameters)
    {
        if (!double.IsFinite(parameters) || parameters <= 0)
            throw new ArgumentOutOfRangeException(nameof(parameters), parameters, "A model size is a number of parameters above 0.");
    }

    internal static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
