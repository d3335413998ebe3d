using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Data.Batches;

/// <summary>What happens when a domain has given all its rows and is drawn again.</summary>
public enum ExhaustionPolicy
{
    /// <summary>Its rows come again in a new order.</summary>
    NextEpoch,

    /// <summary>The data end before the micro-batch that cannot be filled.</summary>
    Stop,

    /// <summary>A <see cref="TokenDataException"/> names the domain.</summary>
    Error,
}

/// <summary>Settings of <see cref="DomainBatches"/>.</summary>
public sealed record DomainBatchesOptions
{
    /// <summary>Rows of a micro-batch, at least 1.</summary>
    /// <value>Default: 1.</value>
    [Range(1, int.MaxValue)]
    public int BatchSize { get; init; } = 1;

    /// <summary>Tokens of a row, at least 2. Null = what the rows have, which must be the same in all domains.</summary>
    /// <value>Default: null.</value>
    [Range(2, int.MaxValue)]
    public int? SequenceLength { get; init; }

    /// <summary>Whether longer rows are cut to <see cref="SequenceLength"/>; otherwise a row of another length is an error. Shorter rows always are.</summary>
    /// <value>Default: false.</value>
    public bool CutRows { get; init; }

    /// <summary>Decides the order of the rows of each domain and epoch.</summary>
    /// <value>Default: 0.</value>
    public int Seed { get; init; }

    /// <summary>Whether rows come in a seeded order; false = in the order in which they are stored, in every epoch.</summary>
    /// <value>Default: true.</value>
    public bool Shuffle { get; init; } = true;

    /// <summary>What happens when a domain is used up.</summary>
    /// <value>Default: its next epoch begins.</value>
    public ExhaustionPolicy Exhaustion { get; init; } = ExhaustionPolicy.NextEpoch;

    /// <summary>Vocabulary of the model; an id that is not below it is an error that names domain and row. Null = not checked here (the trainer checks too).</summary>
    /// <value>Default: null.</value>
    [Range(1, int.MaxValue)]
    public int? VocabularySize { get; init; }
}
