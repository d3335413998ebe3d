namespace LlmShearing;

/// <summary>How a checkpoint folder is written.</summary>
public sealed record LlamaCheckpointWriterOptions
{
    /// <summary>Bytes of tensors above which a new shard begins, as in Hugging Face Hub: 5 GB.</summary>
    public const long DefaultMaxShardSize = 5_000_000_000;

    /// <summary>Whether an existing checkpoint folder may be replaced. It stays as it is until the new one is complete.</summary>
    /// <value>Default false.</value>
    public bool Overwrite { get; init; }

    /// <summary>Bytes of tensors a shard may hold; a larger tensor gets a shard of its own. One shard is written as model.safetensors.</summary>
    /// <value>Default 5,000,000,000.</value>
    public long MaxShardSize { get; init; } = DefaultMaxShardSize;

    /// <summary>Folder from which tokenizer, generation and licence files are copied byte for byte; null = none.</summary>
    /// <value>Default null.</value>
    public string? AuxiliaryFilesFrom { get; init; }

    /// <summary>Whether every file is flushed to the device before it is renamed.</summary>
    /// <value>Default false.</value>
    public bool FlushToDisk { get; init; }

    internal OutputFiles Files { get; init; } = OutputFiles.Default;
}
