// One case of goldens/hf/lora: an adapter that PEFT wrote, with what it computed.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Lora.Tests;

/// <summary>Test classes in this collection run alone, so that the process-wide tensor count is theirs.</summary>
[CollectionDefinition("tensor count", DisableParallelization = true)]
public sealed class TensorCountGroup;

/// <summary>A case by name; its tolerances are those of the goldens' README.</summary>
internal sealed class LoraCase
{
    public const double LogitTolerance = 1e-4;

    public LoraCase(string name)
    {
        Relative = $"hf/lora/{name}";
        Folder = Goldens.Path(Relative);
        Meta = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "meta.json")))!.AsObject();
        BaseFolder = Goldens.Path("hf/" + Meta["base_model"]!.GetValue<string>());
    }

    public string Relative { get; }

    public string Folder { get; }

    public string BaseFolder { get; }

    public JsonObject Meta { get; }

    public ScalarType Dtype => Meta["base_model"]!.GetValue<string>().EndsWith("bf16", StringComparison.Ordinal) ? ScalarType.BFloat16 : ScalarType.Float32;

    public LlamaModel LoadBase() => LlamaModel.Load(BaseFolder, Dtype);

    public GoldenTensors Reference() => new(Relative + "/reference.safetensors");

    /// <summary>Values that are stored in the type of the case's base.</summary>
    public float[] Values(GoldenTensors tensors, string name) => Dtype == ScalarType.BFloat16 ? tensors.BFloats(name) : tensors.Floats(name);

    /// <summary>The cases that are there, all or those that a condition holds for.</summary>
    public static TheoryData<string> Present(Func<LoraCase, bool>? which = null) =>
        [.. Goldens.Folders("hf/lora", with: "meta.json").Where(n => which is null || which(new LoraCase(n)))];

    public static Tensor Ids(GoldenTensors tensors, string name = "input_ids") => tensor(tensors.Longs(name), tensors.Shape(name));

    public static float[] Floats(Tensor values) => values.to(ScalarType.Float32).cpu().contiguous().data<float>().ToArray();
}
