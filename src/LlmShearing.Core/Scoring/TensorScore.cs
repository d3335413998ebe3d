// From a tensor to a number, and from the numbers of a block to its score (shortened-llm block_significance.py).
using LlmShearing.Devices;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>reduce over rows of (sum over columns of |x|^p), then reduce over tensors. A vector has one column.</summary>
internal readonly record struct TensorScore(double Power, ScoreReduction Rows, ScoreReduction Tensors)
{
    /// <summary>Score of one tensor [rows, columns] or [rows], computed in float32.</summary>
    /// <exception cref="ScoringException">The tensor has a value that is not finite.</exception>
    public double OfTensor(Tensor values, string name)
    {
        using var scope = NewDisposeScope();
        Tensor rows = RowSums(values, Power);                                     // [rows]
        double score = Rows switch
        {
            ScoreReduction.Sum => HostValues.Sum(rows),
            ScoreReduction.Mean => HostValues.Sum(rows) / rows.NumberOfElements,
            ScoreReduction.Max => HostValues.Number(rows.max()),
            _ => HostValues.Number(rows.prod()),
        };
        if (!double.IsFinite(score))
            EnsureFinite(values, name);
        return double.IsNaN(score) ? double.PositiveInfinity : score;
    }

    /// <summary>Score of a block from the scores of its tensors; NaN (zero times infinity) counts as infinity, so that it ranks last.</summary>
    public double OfBlock(IReadOnlyList<double> tensors)
    {
        double score = Tensors switch
        {
            ScoreReduction.Sum => tensors.Sum(),
            ScoreReduction.Mean => tensors.Count == 0 ? 0 : tensors.Average(),
            ScoreReduction.Max => tensors.Count == 0 ? 0 : tensors.Max(),
            _ => tensors.Aggregate(1.0, (a, b) => a * b),
        };
        // A product over rows is a float32 number, and what is made of it overflows where float32 does.
        if (Rows == ScoreReduction.Product)
            score = (float)score;
        return double.IsNaN(score) ? double.PositiveInfinity : score;
    }

    /// <summary>Sum over columns of |x|^p, float32 [rows].</summary>
    public static Tensor RowSums(Tensor values, double power)
    {
        Tensor x = values.detach().to(ScalarType.Float32).abs();
        Tensor powers = power == 1 ? x : power == 2 ? x.square() : x.pow(power);
        return powers.dim() == 1 ? powers : powers.sum(1);
    }

    /// <summary>Sum over rows of |x|^p, float32 [columns].</summary>
    public static Tensor ColumnSums(Tensor values, double power)
    {
        Tensor x = values.detach().to(ScalarType.Float32).abs();
        Tensor powers = power == 1 ? x : power == 2 ? x.square() : x.pow(power);
        return powers.sum(dim: 0);   // a bare 0 would be read as a ScalarType
    }

    /// <summary>Refuses a tensor with infinities or NaN.</summary>
    public static void EnsureFinite(Tensor values, string name)
    {
        using var scope = NewDisposeScope();
        if (!HostValues.IsTrue(values.isfinite().all()))
            throw new ScoringException($"'{name}' has values that are not finite. Repair or reload the checkpoint before scoring.");
    }
}
