namespace LlmShearing.Data.Domains;

/// <summary>A law fitted to measured losses, and how far to trust its predictions.</summary>
public sealed class ScalingLawFit
{
    /// <summary>A prediction this many times outside the measured sizes is a long way off.</summary>
    public const double FarExtrapolation = 30;

    /// <summary>A prediction in which errors of the measured losses come back this many times larger is uncertain.</summary>
    public const double HighSensitivity = 20;

    internal ScalingLawFit(ScalingLaw law, IReadOnlyList<ScalingLawPoint> points) => (Law, Points) = (law, points);

    /// <summary>The law.</summary>
    public ScalingLaw Law { get; }

    /// <summary>What it was fitted to, smallest model first.</summary>
    public IReadOnlyList<ScalingLawPoint> Points { get; }

    /// <summary>Sum of the squared deviations of the law from the points, in nats squared; rounding alone with three points.</summary>
    public double SquaredError => Points.Sum(p => Math.Pow(p.Loss - Law.LossAt(p.Parameters), 2));

    /// <summary>
    /// How many nats the prediction moves, at worst, when each measured loss moves by one (to first order): the sum of the absolute derivatives. A and B and C by themselves are
    /// badly determined when the losses hardly flatten; this says what that means for the prediction. Measured losses with an error of 0.001 and a sensitivity of 20: 0.02.
    /// </summary>
    /// <param name="parameters">All parameters of the model, embeddings included.</param>
    /// <returns>Nats per nat, 0 or more.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The size is not above 0.</exception>
    public double Sensitivity(double parameters)
    {
        ScalingLaw.CheckSize(parameters);
        // d loss / d (a, b, C) with the law written as a exp(-b x) + C, x = ln(N / smallest N); b is scaled so that the columns have like size.
        double[] Gradient(double size)
        {
            double x = Math.Log(size / Points[0].Parameters), e = Math.Exp(-Law.B * x);
            return [e, x * e, 1];
        }

        double[][] rows = [.. Points.Select(p => Gradient(p.Parameters))];
        (double[][] q, double[,] r) = Orthogonalise(rows);
        // Gauss-Newton: prediction = gradient^T (J^T J)^-1 J^T y, with J = QR.
        double[] g = Gradient(parameters), v = new double[3];
        for (int i = 0; i < 3; i++)
        {
            v[i] = g[i];
            for (int k = 0; k < i; k++)
                v[i] -= r[k, i] * v[k];
            v[i] /= r[i, i];
        }

        return Enumerable.Range(0, rows.Length).Sum(p => Math.Abs(Enumerable.Range(0, 3).Sum(i => q[i][p] * v[i])));
    }

    /// <summary>Reasons for caution with the prediction for a size, in words.</summary>
    /// <param name="parameters">All parameters of the model, embeddings included.</param>
    /// <returns>Empty when there is none.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The size is not above 0.</exception>
    public IReadOnlyList<string> Warnings(double parameters)
    {
        var warnings = new List<string>();
        double sensitivity = Sensitivity(parameters);
        double outside = Math.Max(Points[0].Parameters / parameters, parameters / Points[^1].Parameters);
        if (Law.C < 0)
            warnings.Add(ScalingLaw.Text($"the law falls below 0 for very large models (C = {Law.C:0.####}): the measured losses hardly flatten"));
        if (outside > FarExtrapolation)
            warnings.Add(ScalingLaw.Text($"{parameters:0.###e+0} parameters is {outside:0.#} times outside the measured sizes"));
        if (sensitivity > HighSensitivity)
            warnings.Add(ScalingLaw.Text($"an error of 0.001 in the measured losses changes the prediction by up to {sensitivity / 1000:0.####}"));
        return warnings;
    }

    // Modified Gram-Schmidt of the three columns.
    private static (double[][] Q, double[,] R) Orthogonalise(double[][] rows)
    {
        double[][] q = [.. Enumerable.Range(0, 3).Select(c => rows.Select(row => row[c]).ToArray())];
        double[,] r = new double[3, 3];
        for (int i = 0; i < 3; i++)
        {
            r[i, i] = Math.Sqrt(q[i].Sum(v => v * v));
            q[i] = [.. q[i].Select(v => v / r[i, i])];
            for (int j = i + 1; j < 3; j++)
            {
                r[i, j] = q[i].Zip(q[j]).Sum(p => p.First * p.Second);
                for (int p = 0; p < rows.Length; p++)
                    q[j][p] -= r[i, j] * q[i][p];
            }
        }

        return (q, r);
    }
}
