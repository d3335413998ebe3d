// The choices that make published perplexities differ from one another.
namespace LlmShearing.Evaluation;

/// <summary>Where a beginning-of-sequence token is put.</summary>
public enum BosMode
{
    /// <summary>Nowhere: the ids are taken as they are.</summary>
    None,

    /// <summary>Once in front of the stream, or of each sequence; it counts as a token of the first window.</summary>
    Start,

    /// <summary>In front of every window, which becomes one token longer.</summary>
    EveryWindow,
}

/// <summary>What happens to the last tokens when they do not fill a window.</summary>
public enum TailRule
{
    /// <summary>They are left out.</summary>
    Drop,

    /// <summary>They make a shorter window.</summary>
    Keep,
}

/// <summary>What happens to a sequence of which no token can be scored.</summary>
public enum ShortSequenceRule
{
    /// <summary>It is an error.</summary>
    Refuse,

    /// <summary>It is left out and counted in the result.</summary>
    Skip,
}

/// <summary>How window losses become one number. NLL is in nats.</summary>
public enum PerplexityAggregation
{
    /// <summary>exp(sum of all NLL / number of scored tokens).</summary>
    TokenMean,

    /// <summary>exp(mean over windows of the window's mean NLL), as FLAP does; differs from the token mean when windows are unequal.</summary>
    WindowMean,

    /// <summary>
    /// exp(sum(m_w (n_w - 1)) / sum(n_w - 1)), with m_w the window's mean NLL and n_w its labelled tokens: the formula of the transformers
    /// documentation, page "Perplexity of fixed-length models". Windows with left context count slightly too little in it.
    /// </summary>
    LabelWeighted,
}
