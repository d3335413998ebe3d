// The arithmetic of scaling laws. With x_i = ln(N_i / N_0) the law is y = a exp(-b x) + C: for a given b it is linear in a and C, so only b is searched for.
namespace LlmShearing.Data.Domains;

internal static class ScalingLawSolver
{
    // Limits of b times the logarithm of the range of sizes: below, the curve cannot be told from a straight line; above, from a step after the smallest size.
    private const double LeastCurvature = 1e-6;
    private const double GridFrom = 1e-4;
    private const double GridTo = 1e2;
    private const int GridPoints = 600;

    /// <summary>The law through points of at least three sizes in rising order.</summary>
    /// <exception cref="ReferenceLossException">There is none.</exception>
    public static ScalingLaw Solve(ScalingLawPoint[] points)
    {
        double[] x = [.. points.Select(p => Math.Log(p.Parameters / points[0].Parameters))];
        double[] y = [.. points.Select(p => p.Loss)];
        double b = points.Length == 3 ? Through(x, y, points) : Nearest(x, y, points);
        (double a, double c, _) = Line(b, x, y);
        if (!(a > 0))
            throw DoNotFall(points);
        double factor = a * Math.Pow(points[0].Parameters, b);
        return double.IsFinite(factor) ? new ScalingLaw(factor, b, c) : throw IsAStep(points);
    }

    /// <summary>exp(v) - 1 without cancellation for small v (Kahan).</summary>
    public static double ExpMinusOne(double v)
    {
        double e = Math.Exp(v), less = e - 1;
        return e == 1 ? v : less == -1 ? -1 : less * v / Math.Log(e);
    }

    // (y0 - y1) / (y1 - y2) = (1 - e^(-b x1)) / (e^(-b x1) - e^(-b x2)), whose right side rises with b, from x1 / (x2 - x1) at 0. Bisection to the last bit.
    private static double Through(double[] x, double[] y, ScalingLawPoint[] points)
    {
        if (!(y[0] > y[1] && y[1] > y[2]))
            throw DoNotFall(points);
        double ratio = (y[0] - y[1]) / (y[1] - y[2]);
        double Right(double b) => ExpMinusOne(b * x[1]) / -ExpMinusOne(-b * (x[2] - x[1]));
        double low = LeastCurvature / x[2], high = 1 / x[2];
        if (!(Right(low) < ratio))
            throw DoNotFlatten(points);
        while (Right(high) < ratio)
            high *= 2;
        for (double middle = (low + high) / 2; middle > low && middle < high; middle = (low + high) / 2)
            (low, high) = Right(middle) < ratio ? (middle, high) : (low, middle);
        return low;
    }

    // Least squares: the best b of a grid, then golden section between its neighbours.
    private static double Nearest(double[] x, double[] y, ScalingLawPoint[] points)
    {
        double At(int i) => Math.Exp(Math.Log(GridFrom) + (i * Math.Log(GridTo / GridFrom) / GridPoints)) / x[^1];
        double Error(double b) => Line(b, x, y).Squares;
        int best = Enumerable.Range(0, GridPoints + 1).MinBy(i => Error(At(i)));
        if (!(Line(At(best), x, y).A > 0))
            throw DoNotFall(points);
        if (best == GridPoints)
            throw IsAStep(points);
        if (best == 0)
            throw DoNotFlatten(points);
        double golden = (Math.Sqrt(5) - 1) / 2;
        double low = At(best - 1), high = At(best + 1);
        double left = high - (golden * (high - low)), right = low + (golden * (high - low));
        double errorLeft = Error(left), errorRight = Error(right);
        for (int i = 0; i < 80; i++)
        {
            if (errorLeft < errorRight)
            {
                (high, right, errorRight) = (right, left, errorLeft);
                errorLeft = Error(left = high - (golden * (high - low)));
            }
            else
            {
                (low, left, errorLeft) = (left, right, errorRight);
                errorRight = Error(right = low + (golden * (high - low)));
            }
        }

        return (low + high) / 2;
    }

    // Regression of y on exp(-b x) - 1, and what is left over.
    private static (double A, double C, double Squares) Line(double b, double[] x, double[] y)
    {
        double[] g = [.. x.Select(v => ExpMinusOne(-b * v))];
        double meanG = g.Average(), meanY = y.Average();
        double gg = 0, gy = 0;
        for (int i = 0; i < g.Length; i++)
            (gg, gy) = (gg + ((g[i] - meanG) * (g[i] - meanG)), gy + ((g[i] - meanG) * (y[i] - meanY)));
        double a = gy / gg, squares = 0;
        for (int i = 0; i < g.Length; i++)
        {
            double rest = y[i] - meanY - (a * (g[i] - meanG));
            squares += rest * rest;
        }

        return (a, meanY - (a * (meanG + 1)), squares);
    }

    private static ReferenceLossException DoNotFall(ScalingLawPoint[] points) =>
        new($"The losses do not fall with the size of the model ({List(points)}), so no law A / N^B + C describes them. Check which file belongs to which size.");

    private static ReferenceLossException DoNotFlatten(ScalingLawPoint[] points) =>
        new($"The losses do not flatten with the size of the model ({List(points)}): they fall at least as fast as a straight line over the logarithm of the size, which no law A / N^B + C does. Check the measurements.");

    private static ReferenceLossException IsAStep(ScalingLawPoint[] points) =>
        new($"The losses fall after the smallest model and hardly any more ({List(points)}): a step, not a law A / N^B + C. Check the measurements.");

    private static string List(ScalingLawPoint[] points) => string.Join(", ", points.Select(p => ScalingLaw.Text($"{p.Loss} at {p.Parameters}")));
}
