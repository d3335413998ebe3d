namespace LlmShearing.Masks;

/// <summary>
/// The hard-concrete distribution of one mask entry (Louizos et al., arXiv 1712.01312, with the constants of LLM-Shearing, models/l0_module.py): a logit a decides how often the
/// entry is exactly 0, exactly 1 or between. All values are computed in double precision, whatever the model's dtype.
/// </summary>
public static class HardConcrete
{
    /// <summary>Temperature T.</summary>
    public const double Temperature = 2.0 / 3.0;

    /// <summary>Lower end of the stretched interval.</summary>
    public const double Lower = -0.1;

    /// <summary>Upper end of the stretched interval.</summary>
    public const double Upper = 1.1;

    /// <summary>Bound of uniforms and of probabilities.</summary>
    public const double Epsilon = 1e-6;

    /// <summary>Factor of the logit in the deterministic value.</summary>
    public const double SoftFactor = 0.8;

    /// <summary>Logits are kept in [-LogitBound, LogitBound]: ln 100.</summary>
    public const double LogitBound = 4.605170185988092;

    // T * logit((0 - Lower) / (Upper - Lower)) = T * ln(1/11)
    private const double ZeroThreshold = Temperature * -2.3978952727983707;

    /// <summary>A sample before clipping: sigmoid((ln u - ln(1 - u) + a) / T) * 1.2 - 0.1.</summary>
    /// <param name="logit">Logit a.</param>
    /// <param name="uniform">A uniform number in [<see cref="Epsilon"/>, 1 - <see cref="Epsilon"/>].</param>
    /// <returns>A value in (-0.1, 1.1).</returns>
    public static double Stretched(double logit, double uniform) =>
        (Sigmoid((Math.Log(uniform / (1 - uniform)) + logit) / Temperature) * (Upper - Lower)) + Lower;

    /// <summary>A sample z of the mask entry and its derivative with respect to the logit (0 where the sample is clipped).</summary>
    /// <param name="logit">Logit a.</param>
    /// <param name="uniform">A uniform number in [<see cref="Epsilon"/>, 1 - <see cref="Epsilon"/>].</param>
    /// <returns>z in [0, 1] and dz/da.</returns>
    public static (double Value, double Derivative) Sample(double logit, double uniform)
    {
        double s = Sigmoid((Math.Log(uniform / (1 - uniform)) + logit) / Temperature);
        double stretched = (s * (Upper - Lower)) + Lower;
        return stretched <= 0 ? (0, 0) : stretched >= 1 ? (1, 0) : (stretched, (Upper - Lower) * s * (1 - s) / Temperature);
    }

    /// <summary>P(z = 0) = sigmoid(T ln(1/11) - a), clamped to [1e-6, 1 - 1e-6].</summary>
    /// <param name="logit">Logit a.</param>
    /// <returns>A probability.</returns>
    public static double ProbabilityOfZero(double logit) => Math.Clamp(Sigmoid(ZeroThreshold - logit), Epsilon, 1 - Epsilon);

    /// <summary>The score P(z > 0) = 1 - P(z = 0) and its derivative P(z = 0) (1 - P(z = 0)), which is 0 where the probability is clamped.</summary>
    /// <param name="logit">Logit a.</param>
    /// <returns>Score and d score / da.</returns>
    public static (double Value, double Derivative) Score(double logit)
    {
        double zero = Sigmoid(ZeroThreshold - logit);
        return zero is > Epsilon and < 1 - Epsilon ? (1 - zero, zero * (1 - zero)) : (1 - Math.Clamp(zero, Epsilon, 1 - Epsilon), 0);
    }

    /// <summary>The deterministic value of a kept entry: sigmoid(0.8 a / T), always inside (0, 1).</summary>
    /// <param name="logit">Logit a.</param>
    /// <returns>A multiplier.</returns>
    public static double Soft(double logit) => Sigmoid(SoftFactor * logit / Temperature);

    /// <summary>Logit within the bounds.</summary>
    /// <param name="logit">Logit a; NaN stays NaN.</param>
    /// <returns>The clamped logit.</returns>
    public static double Clamp(double logit) => Math.Clamp(logit, -LogitBound, LogitBound);

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
