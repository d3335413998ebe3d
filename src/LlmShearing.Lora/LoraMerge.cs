// Merges an adapter folder into a checkpoint folder, a tile of one tensor at a time: neither the model nor the result is ever in memory.
using System.Buffers;
using System.Collections.Frozen;
using LlmShearing.Checkpoints;
using LlmShearing.Devices;
using LlmShearing.Surgery;
using Microsoft.Extensions.Logging;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Lora;

/// <summary>How an adapter is merged into a folder.</summary>
public sealed record LoraMergeOptions
{
    /// <summary>As PEFT's safe_merge: the update is rounded to the weight's type first and added in that type, which differs in 16 bits.</summary>
    /// <value>Default: false.</value>
    public bool Safe { get; init; }

    /// <summary>Whether a checkpoint folder that is there may be replaced.</summary>
    /// <value>Default: false.</value>
    public bool Overwrite { get; init; }

    /// <summary>Bytes of tensors a shard may hold.</summary>
    /// <value>Default: 5,000,000,000.</value>
    public long MaxShardSize { get; init; } = LlamaCheckpointWriterOptions.DefaultMaxShardSize;

    /// <summary>Whether every file is flushed to the device before it is renamed.</summary>
    /// <value>Default: false.</value>
    public bool FlushToDisk { get; init; }

    /// <summary>Receives a warning for files that were left out, and for layers of different shapes, which only this library reads; null = nothing.</summary>
    /// <value>Default: null.</value>
    public ILogger? Logger { get; init; }
}

/// <summary>Merging of adapter folders into checkpoint folders, out of core.</summary>
/// <remarks>Any number of threads may call it, each for a target of its own.</remarks>
public static class LoraMerge
{
    private const int CopyBytes = 1 << 20;

    /// <summary>
    /// Writes a checkpoint with W + s·B·A in place of every adapted weight, in the type in which it is stored, and with the weights that the adapter holds in full; embeddings of a resized vocabulary make the result as large. All other
    /// tensors, tokenizer and licence files are copied byte for byte. Gives the same bits as <see cref="LoraAttachment.Merge"/> on the loaded model.
    /// </summary>
    /// <param name="baseFolder">Hugging Face folder of the base model, of any shape that this library reads.</param>
    /// <param name="adapterFolder">Folder that PEFT or <see cref="LoraAttachment.Save"/> wrote.</param>
    /// <param name="targetFolder">Folder to write; appears only when it is complete.</param>
    /// <param name="options">Null means the defaults.</param>
    /// <param name="progress">Receives bytes written after each tensor; may be null.</param>
    /// <param name="cancellationToken">Checked for every few megabytes; nothing is left when it fires.</param>
    /// <exception cref="CheckpointException">A folder cannot be read or written, or the adapter is for another base; all that does not fit is named.</exception>
    /// <exception cref="LoraException">A merged weight would hold a value that is not finite.</exception>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public static void Apply(
        string baseFolder,
        string adapterFolder,
        string targetFolder,
        LoraMergeOptions? options = null,
        IProgress<ShearingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(baseFolder);
        ArgumentException.ThrowIfNullOrEmpty(adapterFolder);
        ArgumentException.ThrowIfNullOrEmpty(targetFolder);
        TorchRuntime.EnsureLoaded();
        options ??= new LoraMergeOptions();
        CheckpointSurgery.RefuseNested(baseFolder, targetFolder);
        CheckpointSurgery.RefuseNested(adapterFolder, targetFolder);
        using LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(baseFolder);
        using PeftFolder adapter = PeftFolder.Open(adapterFolder);
        LlamaConfig config = adapter.Resized(checkpoint.Config.Shape) is { } resized ? checkpoint.Config with { Shape = resized } : checkpoint.Config;
        LoraLayout layout = adapter.Bind(config.Shape, $"the checkpoint '{checkpoint.Folder}'");
        FrozenDictionary<string, LoraTarget> targets = layout.Targets.ToFrozenDictionary(t => t.Weight.Name, StringComparer.Ordinal);
        FrozenSet<string> saved = layout.Full.Select(t => t.Name).ToFrozenSet(StringComparer.Ordinal);
        var writer = new LlamaCheckpointWriterOptions
        {
            Overwrite = options.Overwrite,
            MaxShardSize = options.MaxShardSize,
            FlushToDisk = options.FlushToDisk,
            AuxiliaryFilesFrom = checkpoint.Folder,
            Logger = options.Logger,
            TokenizerFrom = config.Shape.VocabSize == checkpoint.Config.Shape.VocabSize ? null : adapter.Folder,
        };
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            using IDisposable noGrad = no_grad();
            LlamaCheckpointWriter.Write(
                targetFolder,
                config,
                tensor => checkpoint[tensor.Name].Dtype,
                (tensor, sink) =>
                {
                    CheckpointTensor stored = checkpoint[tensor.Name];
                    if (targets.TryGetValue(tensor.Name, out LoraTarget? target))
                        WriteMerged(checkpoint, stored, adapter, target, options.Safe, sink);
                    else if (saved.Contains(tensor.Name))
                        WriteSaved(adapter, tensor, sink);
                    else
                        sink.CopyFrom(stored, buffer);
                },
                writer,
                progress,
                cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void WriteMerged(LlamaCheckpoint checkpoint, CheckpointTensor stored, PeftFolder adapter, LoraTarget target, bool safe, TensorSink sink)
    {
        using var scope = NewDisposeScope();
        Tensor a = adapter.Read(target.KeyA), b = adapter.Read(target.KeyB);                       // [r, in], [out, r]
        long rows = stored.Shape[0], columns = stored.Shape[1], step = LoraArithmetic.TileRows(columns);
        for (long start = 0; start < rows; start += step)
        {
            using var tile = NewDisposeScope();
            long n = Math.Min(step, rows - start);
            Tensor weight = empty(n, columns, dtype: TypeOf(stored.Dtype), device: CPU);                        // [n, in]
            checkpoint.ReadBytes(stored, start * columns * stored.ElementSize, weight.bytes);
            using Tensor merged = LoraArithmetic.Merge(weight, a, b.narrow(0, start, n), target.Scale, safe);
            LoraArithmetic.EnsureFinite(merged, target.Weight.Name);
            sink.Write(merged.bytes);
        }
    }

    private static void WriteSaved(PeftFolder adapter, LlamaTensor tensor, TensorSink sink)
    {
        const int Part = 1 << 20;
        using var scope = NewDisposeScope();
        Tensor flat = adapter.Read(LoraLayout.KeyOf(tensor)).view(-1);
        LoraArithmetic.EnsureFinite(flat, tensor.Name);
        for (long start = 0; start < flat.NumberOfElements; start += Part)
        {
            using Tensor part = flat.narrow(0, start, Math.Min(Part, flat.NumberOfElements - start));
            sink.WriteFloat32(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(part.bytes));
        }
    }

    private static ScalarType TypeOf(SafetensorsDtype dtype) => dtype switch
    {
        SafetensorsDtype.F32 => ScalarType.Float32,
        SafetensorsDtype.F16 => ScalarType.Float16,
        SafetensorsDtype.BF16 => ScalarType.BFloat16,
        _ => ScalarType.Float64,
    };
}
