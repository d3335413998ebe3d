// Tensors that exist already, to a safetensors file and back into the same memory: what training checkpoints are made of.
using System.Collections.Immutable;
using LlmShearing.Checkpoints;
using LlmShearing.Devices;
using LlmShearing.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Training.Runs;

internal static class TensorFile
{
    private const long ChunkElements = 1 << 20;

    /// <summary>Writes tensors as they are. The file is on the device when this returns.</summary>
    /// <exception cref="CheckpointException">The file cannot be written; nothing is left then.</exception>
    public static void Write(string path, IReadOnlyList<NamedTensor> tensors, OutputFiles files)
    {
        using IDisposable frozen = no_grad();
        Dictionary<string, Tensor> byName = tensors.ToDictionary(t => t.Name, t => t.Value, StringComparer.Ordinal);
        using SafetensorsWriter writer = SafetensorsWriter.Create(path, tensors.Select(EntryOf), null, flushToDisk: true, files);
        while (writer.Current is { } entry)
        {
            using var scope = NewDisposeScope();
            Tensor flat = byName[entry.Name].cpu().contiguous().view(-1);                                // [elements]
            for (long start = 0; start < flat.NumberOfElements; start += ChunkElements)
                writer.Write(entry.Name, flat.narrow(0, start, Math.Min(ChunkElements, flat.NumberOfElements - start)).bytes);
        }

        writer.Complete();
    }

    /// <summary>Checks that a file has exactly the given tensors with their types and shapes, apart from those with the prefix, then fills them.</summary>
    /// <exception cref="TrainingException">The file has other tensors; nothing is changed then.</exception>
    /// <exception cref="CheckpointException">The file cannot be read.</exception>
    public static void Read(string path, IReadOnlyList<NamedTensor> tensors, string? ignoredPrefix = null)
    {
        using SafetensorsReader reader = SafetensorsReader.Open(path);
        Check(reader, tensors, ignoredPrefix);
        using IDisposable frozen = no_grad();
        foreach ((string name, Tensor target) in tensors)
        {
            using var scope = NewDisposeScope();
            SafetensorsEntry entry = reader[name];
            bool direct = HostMemory.Serves(target);
            Tensor memory = direct ? target : empty(target.shape, dtype: target.dtype, device: CPU);
            Tensor flat = memory.view(-1);                                                               // [elements]
            long size = target.dtype.ElementSize();
            for (long start = 0; start < entry.ElementCount; start += ChunkElements)
                reader.Read(entry, start * size, flat.narrow(0, start, Math.Min(ChunkElements, entry.ElementCount - start)).bytes);
            if (!direct)
                target.copy_(memory);
        }
    }

    private static void Check(SafetensorsReader reader, IReadOnlyList<NamedTensor> tensors, string? ignoredPrefix)
    {
        foreach (NamedTensor tensor in tensors)
        {
            SafetensorsEntry expected = EntryOf(tensor);
            if (!reader.TryGet(tensor.Name, out SafetensorsEntry? found))
                throw new TrainingException($"'{reader.FilePath}' has no '{tensor.Name}'. It belongs to another run; give this run a folder of its own.");
            if (found!.Dtype != expected.Dtype || !found.Shape.AsSpan().SequenceEqual(expected.Shape.AsSpan()))
                throw new TrainingException($"'{reader.FilePath}': '{tensor.Name}' is {Text(found)}, expected {Text(expected)}. It belongs to another run; give this run a folder of its own.");
        }

        if (reader.Tensors.Select(t => t.Name).Except(tensors.Select(t => t.Name), StringComparer.Ordinal).FirstOrDefault(n => ignoredPrefix is null || !n.StartsWith(ignoredPrefix, StringComparison.Ordinal)) is { } extra)
            throw new TrainingException($"'{reader.FilePath}' has '{extra}', which is not trained here. It belongs to another run; give this run a folder of its own.");
    }

    private static SafetensorsEntry EntryOf(NamedTensor tensor) =>
        new(tensor.Name, CheckpointMemory.StoredAs(tensor.Value.dtype), tensor.Value.shape.ToImmutableArray());

    private static string Text(SafetensorsEntry entry) => $"{entry.Dtype.FormatName()} [{string.Join(", ", entry.Shape)}]";
}
