// How far a hidden state of the student is from the teacher's, with its gradient in closed form.
using static TorchSharp.torch;

namespace LlmShearing.Training.Distillation;

/// <summary>Distance between hidden states.</summary>
public enum StateDistance
{
    /// <summary>Mean over channels of the squared difference.</summary>
    MeanSquare,

    /// <summary>1 - cosine.</summary>
    Cosine,

    /// <summary>Mean over channels of the squared difference of the unit vectors: 2 (1 - cosine) / channels.</summary>
    UnitMeanSquare,
}

/// <summary>Distillation losses on hidden states.</summary>
public static class StateLoss
{
    private const double SmallestNorm = 1e-8;

    /// <summary>Distance of every token's states, and its gradient.</summary>
    /// <param name="student">States of the student [n, H]; computed on in float32.</param>
    /// <param name="teacher">States of the teacher [n, H].</param>
    /// <param name="distance">Which distance.</param>
    /// <returns>Losses [n] and the gradient of their sum with respect to the student's states [n, H], both float32, in the caller's dispose scope.</returns>
    /// <exception cref="ArgumentException">The shapes differ or are not [n, H].</exception>
    public static (Tensor Losses, Tensor Gradient) Compute(Tensor student, Tensor teacher, StateDistance distance)
    {
        ArgumentNullException.ThrowIfNull(student);
        ArgumentNullException.ThrowIfNull(teacher);
        if (student.dim() != 2 || !student.shape.AsSpan().SequenceEqual(teacher.shape))
            throw new ArgumentException($"Expected states [n, H] of equal shapes, found [{string.Join(", ", student.shape)}] and [{string.Join(", ", teacher.shape)}].");
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor s = student.to(ScalarType.Float32), t = teacher.to(ScalarType.Float32);                  // [n, H]
        double channels = s.shape[1];
        Tensor losses, gradient;
        if (distance == StateDistance.MeanSquare)
        {
            Tensor difference = s - t;
            losses = difference.square().sum(-1) / channels;
            gradient = difference.mul_(2 / channels);
        }
        else
        {
            Tensor norm = s.norm(-1, keepdim: true).clamp_min(SmallestNorm);                             // [n, 1]
            Tensor u = s / norm, v = t / t.norm(-1, keepdim: true).clamp_min(SmallestNorm);              // [n, H], of length 1
            Tensor cosine = (u * v).sum(-1, keepdim: true);                                              // [n, 1]
            double factor = distance == StateDistance.Cosine ? 1 : 2 / channels;
            losses = (1 - cosine).squeeze(-1) * factor;
            gradient = ((u * cosine) - v) / norm * factor;
        }

        return (losses.MoveToOuterDisposeScope(), gradient.MoveToOuterDisposeScope());
    }
}
