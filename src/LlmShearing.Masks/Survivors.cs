// Deterministic masks: which entries of a row stay, and with what value.
namespace LlmShearing.Masks;

internal static class Survivors
{
    /// <summary>Entries of a row that become exactly 0 when only the expected number is known: n - sum of scores, rounded half to even.</summary>
    /// <param name="logits">Clamped logits [n].</param>
    /// <returns>A count in 0..n.</returns>
    public static int ExpectedZeros(ReadOnlySpan<float> logits)
    {
        double zeros = 0;
        foreach (float a in logits)
            zeros += HardConcrete.ProbabilityOfZero(a);

        // Rounded to float32 first: a sum that is k + 1/2 but for rounding counts as exactly that.
        return (int)Math.Round((double)(float)zeros, MidpointRounding.ToEven);
    }

    /// <summary>The values of a row: the entries with the smallest logits become 0; the others keep their soft value.</summary>
    /// <param name="logits">Clamped logits [n].</param>
    /// <param name="zeros">How many become 0.</param>
    /// <param name="values">Receives the multipliers [n].</param>
    /// <param name="lowerStays">Of equal entries, whether the lower index stays.</param>
    public static void Fill(ReadOnlySpan<float> logits, int zeros, Span<float> values, bool lowerStays = true)
    {
        int[] order = new int[logits.Length];
        float[] keys = new float[logits.Length];
        for (int i = 0; i < order.Length; i++)
            (order[i], keys[i], values[i]) = (i, logits[i], (float)HardConcrete.Soft(logits[i]));
        if (zeros == 0)
            return;
        Array.Sort(order, (x, y) => keys[x] != keys[y] ? keys[x].CompareTo(keys[y]) : lowerStays ? y.CompareTo(x) : x.CompareTo(y));
        foreach (int i in order.AsSpan(0, zeros))
            values[i] = 0;
    }
}
