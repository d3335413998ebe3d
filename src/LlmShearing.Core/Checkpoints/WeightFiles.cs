// Which files of a folder hold the model's weights: model.safetensors, or an index with its shards, or the only complete safetensors file under another name.
using LlmShearing.Files;

namespace LlmShearing.Checkpoints;

/// <param name="Single">Full path of the one weight file; null when there is an index.</param>
/// <param name="Index">Full path of the index; null when there is one file.</param>
internal sealed record WeightFiles(string? Single, string? Index)
{
    // What a folder may hold of weights that are not read here.
    private static readonly string[] Extensions =
    [
        ".bin", ".ckpt", ".ggml", ".gguf", ".h5", ".keras", ".llamafile", ".mar", ".mlmodel", ".msgpack", ".nemo", ".npz", ".onnx", ".onnx_data", ".ot", ".pickle", ".pkl",
        ".pdparams", ".plan", ".pt", ".pt2", ".pte", ".pth", ".safetensors", ".tflite", ".torchscript", ".engine",
    ];

    /// <summary>Whether a file is one of weights, of any format, going by its name.</summary>
    public static bool IsWeights(string name) => Extensions.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase) || name.Contains(".gguf.", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a file is the index of weights of any format, going by its name.</summary>
    public static bool IsIndex(string name) => name.EndsWith(".index.json", StringComparison.OrdinalIgnoreCase) && IsWeights(name[..^".index.json".Length]);

    /// <summary>Finds the weights that are read.</summary>
    /// <exception cref="CheckpointException">There are none, or none that are supported; what was found is named.</exception>
    public static WeightFiles Find(string folder)
    {
        string single = Path.Combine(folder, ShardIndex.SingleFileName), index = Path.Combine(folder, ShardIndex.FileName);
        if (Path.Exists(single) || FileFacts.IsLink(single))
            return new WeightFiles(single, null);
        if (Path.Exists(index))
            return new WeightFiles(null, index);
        string[] found = [.. Directory.EnumerateFiles(folder).Select(f => Path.GetFileName(f)).Where(f => IsWeights(f) || IsIndex(f)).Order(StringComparer.Ordinal)];
        string[] readable = [.. found.Where(f => f.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))];
        // An adapter beside a model is no model, and other index files say that there is more than one file.
        if (readable is [var only] && !only.StartsWith("adapter", StringComparison.OrdinalIgnoreCase) && !found.Any(f => f.EndsWith(".safetensors.index.json", StringComparison.OrdinalIgnoreCase)))
            return new WeightFiles(Path.Combine(folder, only), null);
        throw Problem(folder, found, readable);
    }

    private static CheckpointException Problem(string folder, string[] found, string[] readable)
    {
        string expected = $"{ShardIndex.SingleFileName}, or {ShardIndex.FileName} with the files that it names,";
        if (found.Length == 0)
            return new CheckpointException($"'{folder}' has no weights: neither {ShardIndex.SingleFileName} nor {ShardIndex.FileName} is there.", folder);
        const int Shown = 8;
        string names = string.Join(", ", found.Take(Shown)) + (found.Length > Shown ? $" and {found.Length - Shown} more" : "");
        if (readable.Length > 0)
            return new CheckpointException($"'{folder}' has weights under names that do not say how they belong together: {names}. {expected} is needed. Rename a single file to {ShardIndex.SingleFileName}, or get the index.", folder);
        string pickle = found.FirstOrDefault(f => Path.GetExtension(f) is ".bin" or ".pt" or ".pth" or ".ckpt" or ".pkl" or ".pickle") is { } first
            ? $" has only pickled weights ({names}), which can run code when read and are not supported; {expected} is needed."
            : $" has weights in formats that are not read here ({names}); {expected} is needed.";
        return new CheckpointException($"'{folder}'{pickle} Convert the checkpoint to safetensors.", folder);
    }
}
