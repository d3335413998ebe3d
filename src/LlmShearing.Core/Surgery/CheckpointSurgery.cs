// Applies a plan to a checkpoint folder without ever holding the model: bytes go from input shards to output shards, one tile at a time.
using LlmShearing.Checkpoints;
using LlmShearing.Model;

namespace LlmShearing.Surgery;

/// <summary>Pruning and conversion of checkpoint folders, out of core: memory is bounded by a few megabytes whatever the size of the model.</summary>
/// <remarks>Any number of threads may call it, each for a target of its own.</remarks>
public static class CheckpointSurgery
{
    /// <summary>Writes the model that a plan leaves. Values are copied, never computed, unless <see cref="CheckpointSurgeryOptions.Dtype"/> asks for another type.</summary>
    /// <param name="sourceFolder">Hugging Face folder of the model that the plan is for.</param>
    /// <param name="plan">Which units stay. A key/value head stays while one of its query heads does; a norm keeps the weights of the channels that stay.</param>
    /// <param name="targetFolder">Folder to write; appears only when it is complete.</param>
    /// <param name="options">Null means the defaults.</param>
    /// <param name="progress">Receives bytes written after each tensor; may be null.</param>
    /// <param name="cancellationToken">Checked for every few megabytes; nothing is left when it fires.</param>
    /// <returns>The configuration that was written.</returns>
    /// <exception cref="CheckpointException">The source cannot be read, the target exists or cannot be written, or a value does not fit the type asked for.</exception>
    /// <exception cref="PlanException">The plan is not for this model, or leaves layers of different shapes and the plain layout was asked for.</exception>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public static LlamaConfig Apply(
        string sourceFolder,
        PruningPlan plan,
        string targetFolder,
        CheckpointSurgeryOptions? options = null,
        IProgress<ShearingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentException.ThrowIfNullOrEmpty(targetFolder);
        using LlamaCheckpoint source = LlamaCheckpoint.Open(sourceFolder);
        return Apply(source, plan, targetFolder, options ?? new(), progress, cancellationToken);
    }

    /// <summary>Rewrites a folder with another type, shard size or layout, keeping every unit.</summary>
    /// <param name="sourceFolder">Hugging Face folder.</param>
    /// <param name="targetFolder">Folder to write; appears only when it is complete.</param>
    /// <param name="options">Null means the defaults.</param>
    /// <param name="progress">Receives bytes written after each tensor; may be null.</param>
    /// <param name="cancellationToken">Checked for every few megabytes; nothing is left when it fires.</param>
    /// <returns>The configuration that was written.</returns>
    /// <exception cref="CheckpointException">The source cannot be read, the target exists or cannot be written, or a value does not fit the type asked for.</exception>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public static LlamaConfig Convert(
        string sourceFolder,
        string targetFolder,
        CheckpointSurgeryOptions? options = null,
        IProgress<ShearingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(targetFolder);
        using LlamaCheckpoint source = LlamaCheckpoint.Open(sourceFolder);
        return Apply(source, PruningPlan.Identity(source.Config.Shape), targetFolder, options ?? new(), progress, cancellationToken);
    }

    private static LlamaConfig Apply(
        LlamaCheckpoint source, PruningPlan plan, string targetFolder, CheckpointSurgeryOptions options, IProgress<ShearingProgress>? progress, CancellationToken cancellationToken)
    {
        RefuseNested(source.Folder, targetFolder);
        LlamaConfig config = source.Config.For(plan);
        bool padded = options.Layout == CheckpointLayout.Padded && !config.Shape.IsUniform;
        if (options.Layout == CheckpointLayout.Plain && !config.Shape.IsUniform)
            throw new PlanException($"The plan leaves layers that an ordinary Hugging Face folder cannot describe: {Difference(config.Shape)}. Use the layout Padded or Exact.");
        if (padded)
            config = config with { Shape = PaddedShape.Of(config.Shape) };
        if (options.Dtype is SafetensorsDtype wanted)
            config = config with { StoredDtype = TorchName(wanted) };
        var slices = new TensorSlicer(source, plan, padded ? config.Shape : null);
        using var copier = new SliceCopier(source);
        var writerOptions = new LlamaCheckpointWriterOptions
        {
            Overwrite = options.Overwrite,
            MaxShardSize = options.MaxShardSize,
            AuxiliaryFilesFrom = source.Folder,
            FlushToDisk = options.FlushToDisk,
            Logger = options.Logger,
            Files = options.Files,
        };
        SafetensorsDtype fallback = options.Dtype ?? SafetensorsDtypes.FromTorchName(config.StoredDtype);
        LlamaCheckpointWriter.Write(
            targetFolder,
            config,
            tensor => options.Dtype ?? slices.Source(tensor)?.Dtype ?? fallback,
            (tensor, sink) => copier.Copy(slices.Slice(tensor), sink),
            writerOptions,
            progress,
            cancellationToken);
        return config;
    }

    /// <summary>Refuses a target that would replace its source, or be part of it.</summary>
    /// <param name="source">Folder that is read.</param>
    /// <param name="target">Folder that is written.</param>
    /// <exception cref="CheckpointException">One is or holds the other.</exception>
    public static void RefuseNested(string source, string target)
    {
        string a = Path.TrimEndingDirectorySeparator(Path.GetFullPath(source)) + Path.DirectorySeparatorChar;
        string b = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target)) + Path.DirectorySeparatorChar;
        if (a.StartsWith(b, StringComparison.Ordinal) || b.StartsWith(a, StringComparison.Ordinal))
            throw new CheckpointException($"The target '{target}' and the source '{source}' contain each other. Give a folder elsewhere.", target);
    }

    private static string Difference(LlamaShape shape)
    {
        int layer = shape.Layers.ToList().FindIndex(l => !l.HasAttention || !l.HasMlp || !l.HasEqualGroups || !l.Equals(shape.Layers[0]));
        LayerShape l = shape.Layers[layer];
        return $"block {layer} has {l.QueryHeads} query heads, {l.KeyValueHeads} key/value heads and intermediate size {l.IntermediateSize}"
            + (l.HasEqualGroups ? "" : $" (query heads per key/value head {string.Join("+", l.GroupSizes)})")
            + $", block 0 {shape.Layers[0].QueryHeads}, {shape.Layers[0].KeyValueHeads} and {shape.Layers[0].IntermediateSize}";
    }

    private static string TorchName(SafetensorsDtype dtype) => dtype switch
    {
        SafetensorsDtype.F32 => "float32",
        SafetensorsDtype.F16 => "float16",
        SafetensorsDtype.BF16 => "bfloat16",
        _ => throw new CheckpointException($"Weights cannot be stored as {dtype.FormatName()}. Use F32, F16 or BF16."),
    };
}
