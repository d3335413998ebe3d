// From a folder to a model in memory: stored bytes go straight into parameter memory, converted on the way where the types differ.
using LlmShearing.Devices;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Checkpoints;

/// <summary>Loads models. <c>LlamaModel.Load</c> is the short way in.</summary>
public static class LlamaModelLoader
{
    private const long PieceElements = 4 << 20;

    /// <summary>Reads all weights of an open checkpoint.</summary>
    /// <param name="checkpoint">The checkpoint; stays open.</param>
    /// <param name="options">Type, device, checks; null = float32 on the CPU.</param>
    /// <param name="progress">Receives bytes read of all stored bytes; may be null. Called on several threads, one at a time.</param>
    /// <param name="cancellationToken">Checked about every 4 MiB.</param>
    /// <returns>A model owned by the caller; no parameter requires gradients.</returns>
    /// <exception cref="CheckpointException">A file cannot be read, or a weight is not finite and that was to be checked.</exception>
    public static LlamaModel Load(
        LlamaCheckpoint checkpoint,
        LlamaLoadOptions? options = null,
        IProgress<ShearingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        options ??= new LlamaLoadOptions();
        _ = CheckpointMemory.StoredAs(options.Dtype);
        cancellationToken.ThrowIfCancellationRequested();
        var model = new LlamaModel(checkpoint.Config, options.Dtype, options.Device) { Name = Path.GetFileName(checkpoint.Folder) };
        try
        {
            Fill(model, checkpoint, options, progress, cancellationToken);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static void Fill(LlamaModel model, LlamaCheckpoint checkpoint, LlamaLoadOptions options, IProgress<ShearingProgress>? progress, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        var pieces = new List<Piece>();
        var staged = new List<(Parameter Weight, Tensor Copy)>();
        foreach ((string name, Parameter weight) in model.NamedWeights())
        {
            Tensor target = weight;
            if (!HostMemory.Serves(model.Device))
                staged.Add((weight, target = empty(weight.shape, dtype: options.Dtype, device: CPU)));
            var memory = new WeightMemory(target);
            for (long start = 0; start < memory.ElementCount; start += PieceElements)
                pieces.Add(new Piece(name, memory, start, Math.Min(PieceElements, memory.ElementCount - start)));
        }

        long total = checkpoint.TotalBytes, done = 0;
        Lock gate = new();
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Math.Clamp(Environment.ProcessorCount, 1, 8), CancellationToken = cancellationToken };
        try
        {
            Parallel.ForEach(pieces, parallel, piece =>
            {
                piece.Memory.Read(checkpoint, piece.Name, piece.Start, piece.Start, piece.Count, cancellationToken);
                if (options.ValidateFinite && piece.Memory.FirstNonFinite(piece.Start, piece.Count) is >= 0 and long at)
                    throw new CheckpointException($"'{piece.Name}' in '{checkpoint.Folder}' has a value that is not finite, at element {at}. The checkpoint is damaged, or overflowed when it was converted.", checkpoint.Folder);
                CheckpointTensor stored = checkpoint[piece.Name];
                lock (gate)
                {
                    done += stored.ByteLength / stored.ElementCount * piece.Count;
                    progress?.Report(new ShearingProgress("loading", done, total, "bytes"));
                }
            });
        }
        catch (AggregateException e)
        {
            // The first by name, so that the message does not depend on the threads.
            Exception first = e.Flatten().InnerExceptions.OrderBy(i => i.Message, StringComparer.Ordinal).First();
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
        }

        using IDisposable frozen = no_grad();
        foreach ((Parameter weight, Tensor copy) in staged)
            weight.copy_(copy);
    }

    private readonly record struct Piece(string Name, WeightMemory Memory, long Start, long Count);
}
