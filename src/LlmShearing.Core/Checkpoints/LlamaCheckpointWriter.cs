// Writes a Hugging Face folder: shards, index, config.json and the files carried over from the source. Everything is written in a
// temporary folder beside the target, which gets the target's name when it is complete. Models in memory and out-of-core surgery use
// the same writer: it asks for one tensor after the other.
using System.Collections.Immutable;
using System.Text;
using System.Text.Json.Nodes;
using LlmShearing.Files;
using LlmShearing.Json;
using LlmShearing.Model;
using LlmShearing.Telemetry;
using Microsoft.Extensions.Logging;

namespace LlmShearing.Checkpoints;

/// <summary>Writes checkpoint folders of the LLaMA family.</summary>
public static class LlamaCheckpointWriter
{
    /// <summary>Writes a folder with every tensor of <c>config.Shape</c>, stored as <see cref="LlamaConfig.StoredDtype"/>.</summary>
    /// <param name="folder">Target folder; must not exist, or be empty, unless overwriting is allowed.</param>
    /// <param name="config">Configuration to write; its shape says which tensors there are.</param>
    /// <param name="content">Called once for each tensor, in file order; must write exactly the tensor's elements to the sink.</param>
    /// <param name="options">Null means the defaults.</param>
    /// <param name="progress">Receives bytes written after each tensor; may be null.</param>
    /// <param name="cancellationToken">Checked at every write; nothing is left when it fires.</param>
    /// <exception cref="CheckpointException">The target exists, the disk is full, or a file cannot be written. Nothing is left half-written.</exception>
    /// <exception cref="InvalidOperationException"><paramref name="content"/> wrote too few or too many elements.</exception>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public static void Write(
        string folder,
        LlamaConfig config,
        Action<LlamaTensor, TensorSink> content,
        LlamaCheckpointWriterOptions? options = null,
        IProgress<ShearingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(config);
        SafetensorsDtype dtype = SafetensorsDtypes.FromTorchName(config.StoredDtype);
        Write(folder, config, _ => dtype, content, options ?? new(), progress, cancellationToken);
    }

    /// <summary>As above, with a type for each tensor.</summary>
    /// <param name="folder">Target folder.</param>
    /// <param name="config">What config.json says.</param>
    /// <param name="dtypeOf">Type that each tensor is stored in.</param>
    /// <param name="content">Writes the content of each tensor.</param>
    /// <param name="options">Shards, overwriting, files to carry over.</param>
    /// <param name="progress">Receives bytes written; may be null.</param>
    /// <param name="cancellationToken">Checked at every write; nothing is left when it fires.</param>
    /// <exception cref="CheckpointException">The target exists or a file cannot be written.</exception>
    public static void Write(
        string folder,
        LlamaConfig config,
        Func<LlamaTensor, SafetensorsDtype> dtypeOf,
        Action<LlamaTensor, TensorSink> content,
        LlamaCheckpointWriterOptions options,
        IProgress<ShearingProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(content);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxShardSize, 1, nameof(options.MaxShardSize));
        JsonObject json = LlamaConfigJson.ToJson(config);
        Planned[] tensors = [.. LlamaTensorNames.Enumerate(config.Shape).Select(t => new Planned(t, dtypeOf(t)))];
        long total = tensors.Sum(t => t.Bytes), done = 0;
        using AtomicFolder target = AtomicFolder.Create(folder, options.Overwrite);
        AuxiliaryFiles? beside = options.AuxiliaryFilesFrom is { } from ? AuxiliaryFiles.Find(from, target.TemporaryPath, folder) : null;
        if (options.TokenizerFrom is { } tokenizer)
            beside = beside?.WithTokenizerOf(tokenizer);
        Planned[][] shards = Split(tensors, options.MaxShardSize);
        var fileOf = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int s = 0; s < shards.Length; s++)
        {
            string file = shards.Length == 1 ? ShardIndex.SingleFileName : $"model-{s + 1:D5}-of-{shards.Length:D5}.safetensors";
            Dictionary<string, LlamaTensor> byName = shards[s].ToDictionary(t => t.Tensor.Name, t => t.Tensor, StringComparer.Ordinal);
            using SafetensorsWriter writer = SafetensorsWriter.Create(
                Path.Combine(target.TemporaryPath, file), shards[s].Select(t => t.Entry), metadata: null, options.FlushToDisk, options.Files);
            foreach (SafetensorsEntry entry in writer.Tensors)
            {
                cancellationToken.ThrowIfCancellationRequested();
                fileOf.Add(entry.Name, file);
                content(byName[entry.Name], new TensorSink(writer, entry, cancellationToken));
                if (writer.Current?.Name == entry.Name)
                    throw new InvalidOperationException($"The content of '{entry.Name}' is incomplete; {entry.ByteLength} bytes are needed.");
                done += entry.ByteLength;
                progress?.Report(new ShearingProgress("Writing weights", done, total, "bytes"));
            }

            writer.Complete();
        }

        if (shards.Length > 1)
            WriteJson(Path.Combine(target.TemporaryPath, ShardIndex.FileName), ShardIndex.Create(fileOf, total, tensors.Sum(t => t.Tensor.ElementCount)), options);
        WriteJson(Path.Combine(target.TemporaryPath, "config.json"), json, options);
        beside?.CopyTo(target.TemporaryPath, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        target.Commit();
        Tell(folder, config, beside, options.Logger);
    }

    // What the user should know of a folder that was written.
    private static void Tell(string folder, LlamaConfig config, AuxiliaryFiles? beside, ILogger? logger)
    {
        if (logger is null)
            return;
        if (!config.Shape.IsUniform)
            CoreLog.OnlyReadHere(logger, folder, config.ModelType);
        if (beside is { LeftOut.Count: > 0 })
        {
            const int Shown = 20;
            string more = beside.LeftOut.Count > Shown ? $" and {beside.LeftOut.Count - Shown} more" : "";
            CoreLog.FilesLeftBehind(logger, folder, string.Join(", ", beside.LeftOut.Take(Shown)) + more);
        }
    }

    /// <summary>Fills shards greedily in state-dict order; a tensor above the limit gets its own, without closing the current one (as Hugging Face Hub does).</summary>
    private static Planned[][] Split(Planned[] tensors, long limit)
    {
        var shards = new List<Planned[]>();
        var current = new List<Planned>();
        long size = 0;
        foreach (Planned tensor in tensors)
        {
            if (tensor.Bytes > limit)
            {
                shards.Add([tensor]);
                continue;
            }

            if (size + tensor.Bytes > limit)
            {
                shards.Add([.. current]);
                current.Clear();
                size = 0;
            }

            current.Add(tensor);
            size += tensor.Bytes;
        }

        if (current.Count > 0)
            shards.Add([.. current]);
        return [.. shards];
    }

    private static void WriteJson(string path, JsonObject json, LlamaCheckpointWriterOptions options) =>
        AtomicOutput.WriteAll(path, Encoding.UTF8.GetBytes(json.ToJsonString(JsonFile.Indented) + "\n"), options.FlushToDisk, options.Files);

    private readonly record struct Planned(LlamaTensor Tensor, SafetensorsDtype Dtype)
    {
        public long Bytes => checked(Tensor.ElementCount * Dtype.Bits() / 8);

        public SafetensorsEntry Entry => new(Tensor.Name, Dtype, Tensor.Shape);
    }
}
