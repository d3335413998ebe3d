// How far the student's distribution is from the teacher's at one token, with its gradient in closed form.
using System.ComponentModel.DataAnnotations;
using static TorchSharp.torch;

namespace LlmShearing.Training.Distillation;

/// <summary>Distance between the distributions p of the teacher and q of the student.</summary>
public enum LogitDivergence
{
    /// <summary>KL(p || q): the student covers everything that the teacher says (Hinton et al., arXiv 1503.02531).</summary>
    ForwardKl,

    /// <summary>KL(q || p): the student keeps to what the teacher finds likely (Gu et al., arXiv 2306.08543).</summary>
    ReverseKl,

    /// <summary>Jensen-Shannon: (KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2.</summary>
    JensenShannon,
}

/// <summary>What is compared when only the teacher's k likeliest tokens are.</summary>
public enum TopKKind
{
    /// <summary>Both distributions over those tokens alone, each scaled to 1 (modelopt, TopKLogitsKLLoss).</summary>
    Renormalized,

    /// <summary>The terms of these tokens in the forward KL of the full distributions. It may be negative.</summary>
    Partial,

    /// <summary>Cross entropy of the student's full distribution under the teacher's, scaled to 1 over these tokens.</summary>
    TeacherCrossEntropy,
}

/// <summary>A distillation loss on logits: settings and computation.</summary>
public sealed record LogitLoss
{
    /// <summary>Distance of the distributions.</summary>
    /// <value>Default: forward KL.</value>
    public LogitDivergence Divergence { get; init; } = LogitDivergence.ForwardKl;

    /// <summary>Both logits are divided by this before the softmax; above 0.</summary>
    /// <value>Default: 1.</value>
    [Range(1e-3, 1e3)]
    public double Temperature { get; init; } = 1;

    /// <summary>Whether the loss is multiplied by the square of the temperature, which keeps the size of gradients (Hinton et al.).</summary>
    /// <value>Default: true.</value>
    public bool ScaleBySquaredTemperature { get; init; } = true;

    /// <summary>Only the teacher's likeliest tokens are compared; 0 = the whole vocabulary.</summary>
    /// <value>Default: 0.</value>
    [Range(0, int.MaxValue)]
    public int TopK { get; init; }

    /// <summary>What is compared under <see cref="TopK"/>; kinds other than renormalised go with the forward KL only.</summary>
    /// <value>Default: renormalised.</value>
    public TopKKind TopKKind { get; init; } = TopKKind.Renormalized;

    /// <summary>Loss of every token, and its gradient.</summary>
    /// <param name="student">Logits of the student [n, V]; computed on in float32.</param>
    /// <param name="teacher">Logits of the teacher [n, V].</param>
    /// <returns>Losses [n] in nats and the gradient of their sum with respect to the student's logits [n, V], both float32, in the caller's dispose scope.</returns>
    /// <exception cref="ArgumentException">The shapes differ or are not [n, V].</exception>
    /// <exception cref="TrainingException">A setting is out of range.</exception>
    public (Tensor Losses, Tensor Gradient) Compute(Tensor student, Tensor teacher)
    {
        ArgumentNullException.ThrowIfNull(student);
        ArgumentNullException.ThrowIfNull(teacher);
        if (student.dim() != 2 || !student.shape.AsSpan().SequenceEqual(teacher.shape))
            throw new ArgumentException($"Expected logits [n, V] of equal shapes, found [{string.Join(", ", student.shape)}] and [{string.Join(", ", teacher.shape)}].");
        EnsureValid();
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor s = student.to(ScalarType.Float32) / Temperature, t = teacher.to(ScalarType.Float32) / Temperature;   // [n, V]
        (Tensor losses, Tensor gradient) = TopK == 0 || (TopKKind == TopKKind.Renormalized && TopK >= s.shape[1]) ? Whole(s, t) : Top(s, t);
        double factor = ScaleBySquaredTemperature ? Temperature * Temperature : 1;
        losses.mul_(factor);
        gradient.mul_(factor / Temperature);                                                                          // the logits were divided by T
        return (losses.MoveToOuterDisposeScope(), gradient.MoveToOuterDisposeScope());
    }

    /// <summary>Refuses settings that are out of range or contradict each other.</summary>
    internal void EnsureValid()
    {
        if (!(Temperature > 0) || !double.IsFinite(Temperature))
            throw new TrainingException($"{nameof(Temperature)} is {Temperature}; it must be a finite number above 0.");
        if (TopK < 0)
            throw new TrainingException($"{nameof(TopK)} is {TopK}; it must be 0 (the whole vocabulary) or more.");
        if (!Enum.IsDefined(Divergence))
            throw new TrainingException($"{nameof(Divergence)} is {Divergence}. Known: {string.Join(", ", Enum.GetNames<LogitDivergence>())}.");
        if (!Enum.IsDefined(TopKKind))
            throw new TrainingException($"{nameof(TopKKind)} is {TopKKind}. Known: {string.Join(", ", Enum.GetNames<TopKKind>())}.");
        if (TopK > 0 && TopKKind != TopKKind.Renormalized && Divergence != LogitDivergence.ForwardKl)
            throw new TrainingException($"{nameof(TopKKind)} {TopKKind} is defined for the forward KL only, not for {Divergence}. Use {TopKKind.Renormalized}.");
    }

    // Distributions over all columns given; gradients with respect to the scaled logits.
    private (Tensor Losses, Tensor Gradient) Whole(Tensor s, Tensor t)
    {
        Tensor logQ = s.log_softmax(-1), logP = t.log_softmax(-1), q = logQ.exp();                       // [n, V]
        if (Divergence == LogitDivergence.ForwardKl)
        {
            Tensor p = logP.exp();
            return ((p * (logP - logQ)).sum(-1), q.sub_(p));
        }

        // Of the form sum of q d: the gradient is q (d - sum of q d), for the reverse KL as it is, for Jensen-Shannon with half of d = log(q / m).
        if (Divergence == LogitDivergence.ReverseKl)
            return Centred(q, logQ - logP);
        Tensor logM = logQ.logaddexp(logP) - Math.Log(2);
        Tensor fromTeacher = (logP.exp() * (logP - logM)).sum(-1);                                       // [n]
        (Tensor fromStudent, Tensor half) = Centred(q, logQ - logM);
        return ((fromTeacher + fromStudent) / 2, half.mul_(0.5));
    }

    private static (Tensor Sum, Tensor Gradient) Centred(Tensor q, Tensor d)
    {
        Tensor sum = (q * d).sum(-1, keepdim: true);                                                     // [n, 1]
        return (sum.squeeze(-1), d.sub_(sum).mul_(q));
    }

    private (Tensor Losses, Tensor Gradient) Top(Tensor s, Tensor t)
    {
        int k = (int)Math.Min(TopK, s.shape[1]);
        Tensor best = t.topk(k, -1).indexes;                                                             // [n, k]
        if (TopKKind == TopKKind.Renormalized)
        {
            (Tensor losses, Tensor inner) = Whole(s.gather(1, best), t.gather(1, best));                 // [n], [n, k]
            return (losses, zeros_like(s).scatter_(1, best, inner));
        }

        Tensor logQ = s.log_softmax(-1), chosen = logQ.gather(1, best);                                  // [n, V], [n, k]
        Tensor logP = TopKKind == TopKKind.Partial ? t.log_softmax(-1).gather(1, best) : t.gather(1, best).log_softmax(-1);
        Tensor p = logP.exp();                                                                           // [n, k]
        Tensor value = TopKKind == TopKKind.Partial ? (p * (logP - chosen)).sum(-1) : (p * chosen).sum(-1).neg_();
        Tensor gradient = logQ.exp_().mul_(p.sum(-1, keepdim: true));                                    // (sum of p) q - p
        return (value, gradient.scatter_add_(1, best, p.neg_()));
    }
}
