// An adapter folder as PEFT writes it: adapter_config.json and adapter_model.safetensors. Everything is compared with the base model's shape before a value is read.
using System.Buffers;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;
using LlmShearing.Checkpoints;
using LlmShearing.Devices;
using LlmShearing.Files;
using LlmShearing.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Lora;

internal sealed class PeftFolder : IDisposable
{
    private const string WeightsName = "adapter_model.safetensors";
    private const int ChunkElements = 1 << 20;
    private const int Shown = 20;

    private readonly SafetensorsReader _reader;

    private PeftFolder(string folder, LoraOptions options, SafetensorsReader reader) => (Folder, Options, _reader) = (folder, options, reader);

    public string Folder { get; }

    public LoraOptions Options { get; }

    public static PeftFolder Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        folder = Path.GetFullPath(folder);
        if (!Directory.Exists(folder))
            throw new CheckpointException($"There is no folder '{folder}'.", folder);
        if (!File.Exists(Path.Combine(folder, PeftConfig.FileName)))
            throw new CheckpointException($"'{folder}' has no {PeftConfig.FileName}, so it is no adapter folder.", folder);
        LoraOptions options = PeftConfig.Read(Path.Combine(folder, PeftConfig.FileName));
        string weights = Path.Combine(folder, WeightsName);
        if (!File.Exists(weights) && File.Exists(Path.Combine(folder, "adapter_model.bin")))
            throw new CheckpointException($"'{folder}' has only pickled weights (adapter_model.bin), which can run code when read and are not supported. Save the adapter as safetensors.", folder);
        return new PeftFolder(folder, options, SafetensorsReader.Open(weights));
    }

    /// <summary>
    /// The shape of the base with as many rows of embeddings as the adapter has: who adds tokens resizes them before training, and PEFT saves them whole. Null when the adapter has no
    /// embeddings, not all of them, or they have the base's rows.
    /// </summary>
    public LlamaShape? Resized(LlamaShape shape)
    {
        LlamaTensor[] embeddings = [.. LlamaTensorNames.Enumerate(shape).Where(t => t.Part is LlamaPart.Embedding or LlamaPart.Head)];
        long[] rows = [.. embeddings.Select(t => _reader.TryGet(LoraLayout.KeyOf(t), out SafetensorsEntry? e) && e!.Shape.Length == 2 && e.Shape[1] == t.Shape[1] ? e.Shape[0] : -1)];
        return rows[0] is > 0 and <= int.MaxValue && rows[0] != shape.VocabSize && rows.All(r => r == rows[0]) ? shape with { VocabSize = (int)rows[0] } : null;
    }

    /// <summary>The adapter for a base of this shape; every tensor it needs is there, of the right shape, and there is no other.</summary>
    /// <exception cref="CheckpointException">Config, tensors and base do not agree; all that is wrong is named at once.</exception>
    public LoraLayout Bind(LlamaShape shape, string baseName)
    {
        LoraLayout layout;
        try
        {
            layout = LoraLayout.Create(Options, shape, strict: false);
            layout = layout with { Replaced = Embeddings(shape, layout) };
        }
        catch (LoraException e)
        {
            throw new CheckpointException($"The adapter '{Folder}' cannot be used with {baseName}: {e.Message}", Folder, e);
        }

        var expected = new Dictionary<string, ImmutableArray<long>>(StringComparer.Ordinal);
        foreach (LoraTarget target in layout.Targets)
            (expected[target.KeyA], expected[target.KeyB]) = (target.ShapeA, target.ShapeB);
        foreach (LlamaTensor tensor in layout.Full)
            expected[LoraLayout.KeyOf(tensor)] = tensor.Shape;
        var problems = new List<string>();
        foreach ((string key, ImmutableArray<long> wanted) in expected)
        {
            if (!_reader.TryGet(key, out SafetensorsEntry? entry))
                problems.Add($"{key} is missing");
            else if (IsOtherVocabulary(entry!, wanted, shape))
                problems.Add($"{key} has {entry!.Shape[0]} rows, but the base model has {shape.VocabSize} tokens: the vocabulary was resized before the adapter was trained. Merge it ('shear merge', LoraMerge.Apply), which resizes the base where the adapter holds all embeddings, or give the resized base");
            else if (!entry!.Shape.AsSpan().SequenceEqual(wanted.AsSpan()))
                problems.Add($"{key}: the adapter has [{string.Join(", ", entry.Shape)}], config and base ask for [{string.Join(", ", wanted)}]");
            else if (!entry.Dtype.IsWeight())
                problems.Add($"{key} is stored as {entry.Dtype.FormatName()}; F32, F16, BF16 or F64 is needed");
        }

        // A tied model has its output projection in the embedding; PEFT saves both.
        string head = LoraLayout.Prefix + LlamaTensorNames.Head;
        if (shape.TiedEmbeddings && _reader.TryGet(head, out SafetensorsEntry? extra) && layout.Replaced.Length > 0)
        {
            expected[head] = extra!.Shape;
            if (problems.Count == 0 && !SameValues(head, LoraLayout.KeyOf(layout.Replaced[0])))
                problems.Add($"{head} and the embedding differ in the adapter, but the base model ties them");
        }

        problems.AddRange(_reader.Tensors.Where(t => !expected.ContainsKey(t.Name)).Select(t => $"{t.Name} has no place in the base model or is not among the targets"));
        if (problems.Count > 0)
        {
            string more = problems.Count > Shown ? $"\n  and {problems.Count - Shown} more" : "";
            throw new CheckpointException($"The adapter '{Folder}' does not fit {baseName}. Is it for another base model?\n  {string.Join("\n  ", problems.Take(Shown))}{more}", Folder);
        }

        return layout;
    }

    // Embeddings that are in the file without having been asked for.
    private ImmutableArray<LlamaTensor> Embeddings(LlamaShape shape, LoraLayout layout) =>
        [.. LlamaTensorNames.Enumerate(shape).Where(t => t.Part is LlamaPart.Embedding or LlamaPart.Head && _reader.TryGet(LoraLayout.KeyOf(t), out _) && layout.Saved.All(s => s.Name != t.Name))];

    private static bool IsOtherVocabulary(SafetensorsEntry entry, ImmutableArray<long> wanted, LlamaShape shape) =>
        entry.Shape.Length == 2 && wanted.Length == 2 && wanted[0] == shape.VocabSize && entry.Shape[1] == wanted[1] && entry.Shape[0] != wanted[0]
        && !entry.Name.Contains(".lora_", StringComparison.Ordinal);

    private bool SameValues(string a, string b)
    {
        using var scope = NewDisposeScope();
        return _reader[a].Shape.AsSpan().SequenceEqual(_reader[b].Shape.AsSpan()) && HostValues.IsTrue(Read(a).equal(Read(b)).all());
    }

    /// <summary>A tensor as float32 on the CPU, in the caller's dispose scope.</summary>
    public Tensor Read(string key)
    {
        SafetensorsEntry entry = _reader[key];
        using var scope = NewDisposeScope();
        Tensor result = empty([.. entry.Shape], dtype: ScalarType.Float32, device: CPU), flat = result.view(-1);
        int size = entry.Dtype.Bits() / 8;
        byte[] stored = ArrayPool<byte>.Shared.Rent((int)Math.Min(ChunkElements, Math.Max(1, entry.ElementCount)) * size);
        try
        {
            for (long start = 0; start < entry.ElementCount; start += ChunkElements)
            {
                int n = (int)Math.Min(ChunkElements, entry.ElementCount - start);
                using Tensor part = flat.narrow(0, start, n);
                _reader.Read(entry, start * size, stored.AsSpan(0, n * size));
                DtypeConversion.ToFloat32(entry.Dtype, stored.AsSpan(0, n * size), MemoryMarshal.Cast<byte, float>(part.bytes));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(stored);
        }

        return result.MoveToOuterDisposeScope();
    }

    public void Dispose() => _reader.Dispose();

    /// <summary>Writes a folder, which appears under its name only when it is complete.</summary>
    /// <param name="folder">Target.</param>
    /// <param name="options">Options of the adapter.</param>
    /// <param name="layout">Its layout.</param>
    /// <param name="baseModel">Name of the base model, unless the options have one.</param>
    /// <param name="valueOf">The value of a key; contiguous on the CPU, float32 for factors.</param>
    /// <param name="overwrite">Whether an adapter folder may be replaced.</param>
    /// <param name="cancellationToken">Checked before every tensor.</param>
    public static void Write(string folder, LoraOptions options, LoraLayout layout, string baseModel, Func<string, Tensor> valueOf, bool overwrite, CancellationToken cancellationToken)
    {
        using AtomicFolder target = AtomicFolder.Create(folder, overwrite, PeftConfig.FileName);
        var entries = new List<SafetensorsEntry>();
        foreach (string key in layout.Targets.SelectMany(t => new[] { t.KeyA, t.KeyB }).Concat(layout.Full.Select(LoraLayout.KeyOf)))
        {
            using var scope = NewDisposeScope();
            Tensor value = valueOf(key);
            entries.Add(new SafetensorsEntry(key, CheckpointMemory.StoredAs(value.dtype), [.. value.shape]));
        }

        using (SafetensorsWriter writer = SafetensorsWriter.Create(Path.Combine(target.TemporaryPath, WeightsName), entries))
        {
            foreach (SafetensorsEntry entry in writer.Tensors)
            {
                cancellationToken.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                Tensor flat = valueOf(entry.Name).view(-1);
                for (long start = 0; start < flat.NumberOfElements; start += ChunkElements)
                {
                    using Tensor part = flat.narrow(0, start, Math.Min(ChunkElements, flat.NumberOfElements - start));
                    writer.Write(entry.Name, part.bytes);
                }
            }

            writer.Complete();
        }

        string json = PeftConfig.Write(options, layout, baseModel).ToJsonString(JsonFile.Indented);
        AtomicOutput.WriteAll(Path.Combine(target.TemporaryPath, PeftConfig.FileName), Encoding.UTF8.GetBytes(json), flushToDisk: false, OutputFiles.Default);
        cancellationToken.ThrowIfCancellationRequested();
        target.Commit();
    }
}
