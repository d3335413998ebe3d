namespace LlmShearing.Data.Domains;

/// <summary>How <see cref="ReferenceLossSampler"/> turns losses into proportions. p is a share, d the loss minus the reference loss; the result is smoothed and sums to 1.</summary>
public enum ProportionUpdate
{
    /// <summary>p exp(eta d), normalised: exponentiated gradient as in DoReMi, so updates compound (LLM-Shearing, Algorithm 1; "doremi").</summary>
    Doremi,

    /// <summary>softmax(p + eta d): the differences of this evaluation weigh far more than the past (LLM-Shearing's code, "bandit").</summary>
    Bandit,

    /// <summary>Proportions stay ("constant").</summary>
    Constant,
}
