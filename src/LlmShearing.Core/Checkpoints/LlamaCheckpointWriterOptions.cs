using LlmShearing.Files;
using Microsoft.Extensions.Logging;

namespace LlmShearing.Checkpoints;

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

    /// <summary>
    /// Folder of the model from which everything that is not weights, index or config.json is copied byte for byte, subfolders too: tokenizer, templates, code, licences. Null = none.
    /// Left out, and named to the <see cref="Logger"/>, are weights in other formats with what describes them, hidden folders, and what is above 100 MiB a file or 500 MiB in all.
    /// </summary>
    /// <value>Default null.</value>
    public string? AuxiliaryFilesFrom { get; init; }

    /// <summary>Receives a warning for files that were left out, and for layers of different shapes, which only this library reads; null = nothing.</summary>
    /// <value>Default null.</value>
    public ILogger? Logger { get; init; }

    /// <summary>Whether every file is flushed to the device before it is renamed.</summary>
    /// <value>Default false.</value>
    public bool FlushToDisk { get; init; }

    /// <summary>Folder whose tokenizer, where it has one, takes the place of that in <see cref="AuxiliaryFilesFrom"/>; null = none.</summary>
    public string? TokenizerFrom { get; init; }

    internal OutputFiles Files { get; init; } = OutputFiles.Default;
}
