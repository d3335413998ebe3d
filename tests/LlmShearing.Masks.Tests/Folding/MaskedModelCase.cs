// One mask pattern of the reference set: the model, the masks, and what the original computes with them.
using System.Text.Json.Nodes;
using LlmShearing.Model;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Tests.Folding;

internal sealed class MaskedModelCase : IDisposable
{
    public const string Root = "shearing/masked-model";

    private static readonly (string Key, PruningAxes Axis)[] Keys =
    [
        ("hidden_z", PruningAxes.Hidden), ("head_z", PruningAxes.QueryHeads), ("intermediate_z", PruningAxes.Intermediate),
        ("head_layer_z", PruningAxes.Attention), ("mlp_z", PruningAxes.Mlp),
    ];

    private readonly Dictionary<string, string> _composerName;   // Hugging Face -> internal

    public MaskedModelCase(string model, string pattern)
    {
        Folder = $"{Root}/{model}/{pattern}";
        Model = LlamaModel.Load(Goldens.Path($"{Root}/{model}/hf"));
        Tensors = new GoldenTensors($"{Folder}/tensors.safetensors");
        Json = JsonNode.Parse(File.ReadAllText(Goldens.Path($"{Folder}/case.json")))!.AsObject();
        _composerName = JsonNode.Parse(File.ReadAllText(Goldens.Path($"{Root}/{model}/hf-to-composer-names.json")))!.AsObject()
            .ToDictionary(n => n.Key, n => (string)n.Value!);
        using var plain = new GoldenTensors($"{Root}/{model}/plain.safetensors");
        (Ids, Shape, Targets) = (plain.Longs("input_ids"), plain.Shape("input_ids"), plain.Longs("targets"));
    }

    public string Folder { get; }

    public LlamaModel Model { get; }

    public GoldenTensors Tensors { get; }

    public JsonObject Json { get; }

    public long[] Ids { get; }

    public long[] Shape { get; }

    public long[] Targets { get; }

    /// <summary>Every pattern of both models whose folder is there.</summary>
    public static TheoryData<string, string> Patterns() => Folders(name => name is not ("hf" or "metrics" or "postprocess") && !name.StartsWith("l0-", StringComparison.Ordinal));

    /// <summary>Patterns of which the original wrote Hugging Face folders: model, pattern, folder.</summary>
    public static TheoryData<string, string, string> Exports()
    {
        var data = new TheoryData<string, string, string>();
        foreach ((string model, string pattern) in Names(_ => true))
            foreach (string export in Directory.GetDirectories(Goldens.Path($"{Root}/{model}/{pattern}"), "hf-pruned-*").Order(StringComparer.Ordinal))
                data.Add(model, pattern, Path.GetFileName(export));
        return data;
    }

    public static TheoryData<string, string> Folders(Func<string, bool> wanted)
    {
        var data = new TheoryData<string, string>();
        foreach ((string model, string pattern) in Names(wanted))
            data.Add(model, pattern);
        return data;
    }

    /// <summary>The masks under a prefix: z, z_train or z_eval.</summary>
    public MaskValues Values(string prefix = "z") => new(
        Model.Config.Shape,
        Keys.Where(k => Tensors.Has($"{prefix}.{k.Key}")).ToDictionary(k => k.Axis, k => Tensors.Floats($"{prefix}.{k.Key}")));

    public static IEnumerable<(string Key, PruningAxes Axis)> Axes() => Keys;

    /// <summary>Internal name of a weight in the original's state.</summary>
    public string ComposerName(string name) => _composerName[name];

    public Tensor Input() => tensor(Ids, Shape[0], Shape[1]);

    /// <summary>Mean cross entropy over targets that count, as a scalar with a graph.</summary>
    public Tensor Loss(Tensor logits)
    {
        long[] scored = [.. Enumerable.Range(0, Targets.Length).Where(i => Targets[i] != -100).Select(i => (long)i)];
        return nn.functional.cross_entropy(logits.reshape(Targets.Length, -1).index_select(0, tensor(scored)), tensor(scored.Select(i => Targets[i]).ToArray()));
    }

    public float[] Logits(LlamaModel model, LlamaGates? gates = null)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        return Numbers(model.forward(Input(), new ForwardOptions { Gates = gates }));
    }

    public void AssertWeightGradients(string prefix)
    {
        foreach ((string name, var weight) in Model.NamedWeights())
            Near.Equal(Tensors.Floats(prefix + ComposerName(name)), Numbers(weight.grad!), 2e-6, what: name);
    }

    public static float[] Numbers(Tensor t) => t.to(ScalarType.Float32).contiguous().data<float>().ToArray();

    public void Dispose()
    {
        Model.Dispose();
        Tensors.Dispose();
    }

    private static IEnumerable<(string Model, string Pattern)> Names(Func<string, bool> wanted)
    {
        foreach (string model in new[] { "model-a", "model-b" })
            if (Goldens.TryPath($"{Root}/{model}") is { } folder)
                foreach (string path in Directory.GetDirectories(folder).Order(StringComparer.Ordinal))
                    if (wanted(Path.GetFileName(path)))
                        yield return (model, Path.GetFileName(path));
    }
}
