using Xunit;

namespace LlmShearing.Testing;

/// <summary>Comparisons of arrays with a message that says where and how much.</summary>
public static class Near
{
    /// <summary>|actual - expected| &lt;= absolute + relative * |expected|, element by element; NaN never passes.</summary>
    public static void Equal(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double absolute, double relative = 0, string what = "values", Func<int, bool>? where = null)
    {
        Assert.Equal(expected.Length, actual.Length);
        double worst = -1;
        int at = -1;
        for (int i = 0; i < expected.Length; i++)
        {
            if (where is not null && !where(i))
                continue;
            double excess = actual[i] == expected[i] ? 0 : Math.Abs((double)actual[i] - expected[i]) / (absolute + (relative * Math.Abs(expected[i])));
            if (double.IsNaN(excess) || excess > worst)
                (worst, at) = (excess, i);
            if (double.IsNaN(excess))
                break;
        }

        Assert.True(worst <= 1, at < 0 ? $"{what}: nothing was compared" : $"{what}: element {at} is {actual[at]}, expected {expected[at]} ({worst:g3} times the tolerance)");
        Assert.True(at >= 0, $"{what}: nothing was compared");
    }

    /// <summary>The same for one number.</summary>
    public static void Equal(double expected, double actual, double absolute, double relative = 0, string what = "value")
    {
        if (expected.Equals(actual))
            return;
        Assert.True(Math.Abs(actual - expected) <= absolute + (relative * Math.Abs(expected)), $"{what}: {actual:r}, expected {expected:r}");
    }
}
