using System.ComponentModel.DataAnnotations;
using LlmShearing.Data.Samples;

namespace LlmShearing.Data.Instructions;

/// <summary>Settings of <see cref="InstructionBatches"/>.</summary>
public sealed record InstructionBatchesOptions
{
    /// <summary>Padding and, for packed rows, whether documents see each other.</summary>
    public required CollatorOptions Collator { get; init; }

    /// <summary>Rows of a micro-batch, at least 1; the last one of an epoch may have fewer.</summary>
    /// <value>Default: 1.</value>
    [Range(1, int.MaxValue)]
    public int BatchSize { get; init; } = 1;

    /// <summary>Decides the order of the rows of each epoch.</summary>
    /// <value>Default: 0.</value>
    public int Seed { get; init; }

    /// <summary>Whether rows come in a seeded order, another in each epoch; false = in the order of the samples.</summary>
    /// <value>Default: true.</value>
    public bool Shuffle { get; init; } = true;

    /// <summary>Packs several samples into rows of <see cref="RowLength"/>; null = one sample a row.</summary>
    /// <value>Default: null.</value>
    public PackingStrategy? Packing { get; init; }

    /// <summary>Most tokens of a packed row, at least 2.</summary>
    /// <value>Default: 2048.</value>
    [Range(2, int.MaxValue)]
    public int RowLength { get; init; } = 2048;

    /// <summary>Passes over the data, at least 1; null = without end.</summary>
    /// <value>Default: null.</value>
    [Range(1, long.MaxValue)]
    public long? Epochs { get; init; }
}
