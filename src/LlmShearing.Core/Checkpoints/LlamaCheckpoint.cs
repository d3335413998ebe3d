// A Hugging Face folder opened for reading: configuration, one or many weight files, and the check that they describe the same model.
using System.Buffers;
using System.Collections.Frozen;
using System.Collections.Immutable;
using LlmShearing.Model;

namespace LlmShearing.Checkpoints;

/// <summary>A checkpoint folder of the LLaMA family, opened and checked; weights are read on demand. Reads may run on several threads.</summary>
public sealed class LlamaCheckpoint : IDisposable
{
    // Large enough that a read costs little beside its bytes, small enough to stay in the second-level cache until it is converted.
    private const int ChunkBytes = 256 << 10;

    private readonly List<SafetensorsReader> _readers;

    private LlamaCheckpoint(string folder, LlamaConfig config, List<SafetensorsReader> readers, FrozenDictionary<string, CheckpointTensor> tensors, CheckpointReport report)
    {
        (Folder, Config, _readers, Tensors, Report) = (folder, config, readers, tensors, report);
        TotalBytes = tensors.Values.Sum(t => t.ByteLength);
    }

    /// <summary>Full path of the folder.</summary>
    public string Folder { get; }

    /// <summary>What config.json says.</summary>
    public LlamaConfig Config { get; }

    /// <summary>The tensors of the model by name; exactly those that <see cref="LlamaTensorNames.Enumerate"/> gives for the shape.</summary>
    public IReadOnlyDictionary<string, CheckpointTensor> Tensors { get; }

    /// <summary>The comparison of files and configuration; complete, but tells which tensors are ignored.</summary>
    public CheckpointReport Report { get; }

    /// <summary>Stored bytes of all tensors of the model.</summary>
    public long TotalBytes { get; }

    /// <summary>Full paths of the weight files.</summary>
    public IReadOnlyList<string> Files => [.. _readers.Select(r => r.FilePath)];

    /// <summary>Opens a folder with config.json and either model.safetensors or model.safetensors.index.json with its shards; the single file wins when both are there. Without either, the
    /// only safetensors file in the folder is taken.</summary>
    /// <param name="folder">The folder.</param>
    /// <returns>The open checkpoint; dispose it after use.</returns>
    /// <exception cref="CheckpointException">
    /// Something is missing, damaged, not supported or contradictory. All tensors that are missing, unexpected, or of a wrong shape or type are named at once.
    /// </exception>
    public static LlamaCheckpoint Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        folder = Path.GetFullPath(folder);
        if (!Directory.Exists(folder))
            throw new CheckpointException($"There is no folder '{folder}'.", folder);
        LlamaConfig config = LlamaConfigJson.Load(Path.Combine(folder, "config.json"));
        var readers = new List<SafetensorsReader>();
        try
        {
            FrozenDictionary<string, CheckpointTensor> found = OpenFiles(folder, readers).ToFrozenDictionary(t => t.Name, StringComparer.Ordinal);
            CheckpointReport report = CheckpointReport.Compare(config.Shape, found);
            if (!report.IsComplete)
                throw new CheckpointException($"The weights in '{folder}' are not those of the model that its config.json describes:{report}", folder);
            return new LlamaCheckpoint(folder, config, readers, WithoutIgnored(found, report), report);
        }
        catch
        {
            readers.ForEach(r => r.Dispose());
            throw;
        }
    }

    /// <summary>A tensor by name.</summary>
    /// <param name="name">Hugging Face name.</param>
    /// <returns>The tensor.</returns>
    /// <exception cref="CheckpointException">The model has no such tensor.</exception>
    public CheckpointTensor this[string name] =>
        Tensors.TryGetValue(name, out CheckpointTensor? tensor) ? tensor : throw new CheckpointException($"The checkpoint '{Folder}' has no tensor '{name}'.", Folder);

    /// <summary>Reads elements as float32, whatever they are stored in. F16 and BF16 widen exactly; F64 rounds.</summary>
    /// <param name="name">Hugging Face name.</param>
    /// <param name="destination">Filled completely; may be part of the tensor.</param>
    /// <param name="firstElement">First element (row-major) to read; default 0.</param>
    /// <exception cref="CheckpointException">There is no such tensor, or the file cannot be read.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range is outside the tensor.</exception>
    public void ReadFloat32(string name, Span<float> destination, long firstElement = 0)
    {
        CheckpointTensor tensor = this[name];
        ArgumentOutOfRangeException.ThrowIfNegative(firstElement);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(destination.Length, tensor.ElementCount - firstElement, nameof(destination));
        int size = tensor.ElementSize;
        if (tensor.Dtype == SafetensorsDtype.F32)
        {
            ReadBytes(tensor, firstElement * size, System.Runtime.InteropServices.MemoryMarshal.AsBytes(destination));
            return;
        }

        byte[] chunk = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            for (int done = 0; done < destination.Length;)
            {
                int n = Math.Min(ChunkBytes / size, destination.Length - done);
                Span<byte> bytes = chunk.AsSpan(0, n * size);
                tensor.Reader.Read(tensor.Entry, (firstElement + done) * size, bytes);
                DtypeConversion.ToFloat32(tensor.Dtype, bytes, destination.Slice(done, n));
                done += n;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }

    /// <summary>Reads stored bytes with positional reads: resident memory grows only by the destination.</summary>
    /// <param name="tensor">A tensor of this checkpoint.</param>
    /// <param name="offset">First byte within the tensor.</param>
    /// <param name="destination">Filled completely.</param>
    /// <exception cref="CheckpointException">The file cannot be read.</exception>
    public void ReadBytes(CheckpointTensor tensor, long offset, Span<byte> destination)
    {
        RequireOwn(tensor);
        tensor.Reader.Read(tensor.Entry, offset, destination);
    }

    /// <summary>The stored bytes in a read-only memory map, without a copy. Valid until the checkpoint is disposed; not aligned in general.</summary>
    /// <param name="tensor">A tensor of this checkpoint.</param>
    /// <param name="offset">First byte within the tensor; default 0.</param>
    /// <param name="length">Bytes, at most 2^31 - 1; default: all that is left.</param>
    /// <returns>Little-endian, row-major elements.</returns>
    /// <exception cref="CheckpointException">The file cannot be mapped.</exception>
    public ReadOnlySpan<byte> GetSpan(CheckpointTensor tensor, long offset = 0, int? length = null)
    {
        RequireOwn(tensor);
        return tensor.Reader.GetSpan(tensor.Entry, offset, length);
    }

    /// <summary>Closes the files.</summary>
    public void Dispose() => _readers.ForEach(r => r.Dispose());

    private void RequireOwn(CheckpointTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (!Tensors.TryGetValue(tensor.Name, out CheckpointTensor? own) || !ReferenceEquals(own, tensor))
            throw new ArgumentException($"'{tensor.Name}' is not a tensor of the checkpoint '{Folder}'.", nameof(tensor));
    }

    private static List<CheckpointTensor> OpenFiles(string folder, List<SafetensorsReader> readers)
    {
        WeightFiles files = WeightFiles.Find(folder);
        return files.Single is { } single ? TensorsOf(Open(single, readers)) : OpenShards(folder, files.Index!, readers);
    }

    private static List<CheckpointTensor> OpenShards(string folder, string index, List<SafetensorsReader> readers)
    {
        Dictionary<string, string> fileOf = ShardIndex.Load(index);
        var tensors = new List<CheckpointTensor>();
        var owner = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string file in fileOf.Values.Distinct().Order(StringComparer.Ordinal))
        {
            string path = Path.Combine(folder, file);
            if (!File.Exists(path))
                throw new CheckpointException($"The shard '{file}' named in {ShardIndex.FileName} is not in '{folder}'. Copy or download it again.", path);
            foreach (CheckpointTensor tensor in TensorsOf(Open(path, readers)))
            {
                if (!owner.TryAdd(tensor.Name, file))
                    throw new CheckpointException($"'{tensor.Name}' is in two shards, '{owner[tensor.Name]}' and '{file}'.", path);
                if (!fileOf.TryGetValue(tensor.Name, out string? mapped))
                    throw new CheckpointException($"'{tensor.Name}' is in '{file}', but {ShardIndex.FileName} does not list it.", path);
                if (mapped != file)
                    throw new CheckpointException($"'{tensor.Name}' is in '{file}', but {ShardIndex.FileName} says '{mapped}'.", path);
                tensors.Add(tensor);
            }
        }

        string[] lost = [.. fileOf.Keys.Where(name => !owner.ContainsKey(name)).Order(StringComparer.Ordinal)];
        return lost.Length == 0
            ? tensors
            : throw new CheckpointException($"{ShardIndex.FileName} lists {lost.Length} tensors that their shards do not have, the first being '{lost[0]}' in '{fileOf[lost[0]]}'.", index);
    }

    private static SafetensorsReader Open(string path, List<SafetensorsReader> readers)
    {
        SafetensorsReader reader = SafetensorsReader.Open(path);
        readers.Add(reader);
        return reader;
    }

    private static List<CheckpointTensor> TensorsOf(SafetensorsReader reader) =>
        [.. reader.Tensors.Select(e => new CheckpointTensor(e.Name, e.Dtype, e.Shape, e.ByteLength, Path.GetFileName(reader.FilePath)) { Reader = reader, Entry = e })];

    private static FrozenDictionary<string, CheckpointTensor> WithoutIgnored(FrozenDictionary<string, CheckpointTensor> found, CheckpointReport report)
    {
        HashSet<string> ignored = [.. report.Ignored];
        return found.Where(e => !ignored.Contains(e.Key)).ToFrozenDictionary(StringComparer.Ordinal);
    }
}
