using LlmShearing.Checkpoints;
using LlmShearing.Files;
using Microsoft.Extensions.Logging;

namespace LlmShearing.Surgery;

/// <summary>How a model whose layers differ in shape is written.</summary>
public enum CheckpointLayout
{
    /// <summary>An ordinary Hugging Face folder when all layers have the same shape, else <see cref="Exact"/>.</summary>
    Auto,

    /// <summary>An ordinary Hugging Face folder; refused when layers differ.</summary>
    Plain,

    /// <summary>
    /// An ordinary Hugging Face folder in which smaller layers are filled up with zero heads and channels: the same function, loads anywhere,
    /// but saves neither memory nor time where layers differ.
    /// </summary>
    Padded,

    /// <summary>Exactly the tensors that are left, with the sizes of every layer under <c>llm_shearing</c> in config.json; this library reads it.</summary>
    Exact,
}

/// <summary>How a pruned or converted checkpoint folder is written.</summary>
public sealed record CheckpointSurgeryOptions
{
    /// <summary>Whether an existing checkpoint folder may be replaced.</summary>
    /// <value>Default false.</value>
    public bool Overwrite { get; init; }

    /// <summary>Bytes of tensors a shard may hold.</summary>
    /// <value>Default 5,000,000,000.</value>
    public long MaxShardSize { get; init; } = LlamaCheckpointWriterOptions.DefaultMaxShardSize;

    /// <summary>Type to store all weights in: F32, F16 or BF16; null keeps the type of every tensor.</summary>
    /// <value>Default null.</value>
    public SafetensorsDtype? Dtype { get; init; }

    /// <summary>How layers of different shapes are written.</summary>
    /// <value>Default <see cref="CheckpointLayout.Auto"/>.</value>
    public CheckpointLayout Layout { get; init; }

    /// <summary>Whether every file is flushed to the device before it is renamed.</summary>
    /// <value>Default false.</value>
    public bool FlushToDisk { get; init; }

    /// <summary>Receives a warning for files that were left out, and for layers of different shapes, which only this library reads; null = nothing.</summary>
    /// <value>Default null.</value>
    public ILogger? Logger { get; init; }

    internal OutputFiles Files { get; init; } = OutputFiles.Default;
}
