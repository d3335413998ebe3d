using LlmShearing.Checkpoints;
using LlmShearing.Model;
using LlmShearing.Surgery;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Surgery;

/// <summary>Out-of-core surgery against models that were sliced independently.</summary>
public class CheckpointSurgeryGoldenTests
{
    public static TheoryData<string> Ids() => SurgeryCase.Ids();

    [GoldenTheory(SurgeryCase.Root, "baselines/models/gqa5", "baselines/models/mha6")]
    [MemberData(nameof(Ids))]
    public void Apply_ReferencePlan_GivesTheReferenceTensors(string id)
    {
        SurgeryCase reference = SurgeryCase.Load(id);
        using var folder = new TemporaryFolder();
        CheckpointSurgery.Apply(reference.SourceFolder, reference.Plan, folder["out"]);
        using LlamaCheckpoint result = LlamaCheckpoint.Open(folder["out"]);
        Assert.Equal(reference.Plan.Target, result.Config.Shape);
        // The reference lists the empty tensors of absent sub-blocks, and their norms, which no longer have a purpose; the result has neither.
        Assert.Equal(reference.Digests.Select(d => d.Key).Where(n => !IsHead(n, result) && !IsOfAbsentSubBlock(n, result.Config.Shape)).Order(), result.Tensors.Keys.Order());
        foreach (CheckpointTensor tensor in result.Tensors.Values)
            AssertDigest([.. reference.Digests[tensor.Name]!.AsArray().Select(v => (double)v!)], result, tensor);
        if (reference.ResultFolder is string expected)
            AssertSameFolder(expected, folder["out"]);
        if (reference.WeightsFile is string weights)
            AssertSameTensors(weights, result);
    }

    [GoldenFact("baselines/depth/pruned/gqa10.ppl.rm2.plus", "baselines/models/gqa10")]
    public void Apply_DepthPlan_GivesTheReferenceFile()
    {
        string source = Goldens.Path("baselines/models/gqa10");
        System.Text.Json.Nodes.JsonNode plan = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(Goldens.Path("baselines/depth/plans.json")))!
            .AsArray().Single(p => (string?)p!["hf_dir"] == "pruned/gqa10.ppl.rm2.plus")!;
        LlamaShape shape = LlamaConfigJson.Load(Path.Combine(source, "config.json")).Shape;
        using var folder = new TemporaryFolder();
        CheckpointSurgery.Apply(source, PruningPlan.RemoveBlocks(shape, plan["removed"]!.AsArray().Select(b => (int)b!)), folder["out"]);
        AssertSameFolder(Goldens.Path("baselines/depth/pruned/gqa10.ppl.rm2.plus"), folder["out"]);
    }

    /// <summary>Same weight file byte for byte, and configurations that mean the same.</summary>
    private static void AssertSameFolder(string expected, string actual)
    {
        Assert.Equal(File.ReadAllBytes(Path.Combine(expected, "model.safetensors")), File.ReadAllBytes(Path.Combine(actual, "model.safetensors")));
        LlamaConfig a = LlamaConfigJson.Load(Path.Combine(expected, "config.json")), b = LlamaConfigJson.Load(Path.Combine(actual, "config.json"));
        Assert.Equal(a with { Source = null, EosTokenIds = [] }, b with { Source = null, EosTokenIds = [] });
        Assert.Equal(a.EosTokenIds.ToArray(), b.EosTokenIds.ToArray());
    }

    private static void AssertSameTensors(string weights, LlamaCheckpoint result)
    {
        using SafetensorsReader reader = SafetensorsReader.Open(weights);
        Assert.Equal(result.Tensors.Keys.Order(), reader.Tensors.Select(t => t.Name).Where(n => !IsHead(n, result)).Order());
        foreach (CheckpointTensor tensor in result.Tensors.Values)
            Assert.Equal(reader.GetSpan(reader[tensor.Name]).ToArray(), result.GetSpan(tensor).ToArray());
    }

    /// <summary>Digest: rows, columns (0 for a vector), sum, sum of magnitudes, sum of squares, in double precision.</summary>
    private static void AssertDigest(double[] digest, LlamaCheckpoint result, CheckpointTensor tensor)
    {
        float[] values = new float[tensor.ElementCount];
        result.ReadFloat32(tensor.Name, values);
        Assert.Equal(digest[0], tensor.Shape[0]);
        Assert.Equal(digest[1], tensor.Shape.Length == 1 ? 0 : tensor.Shape[1]);
        Assert.Equal(digest[2], values.Sum(v => (double)v), 1e-9);
        Assert.Equal(digest[3], values.Sum(v => Math.Abs((double)v)), 1e-9 * Math.Max(1, digest[3]));
        Assert.Equal(digest[4], values.Sum(v => (double)v * v), 1e-9 * Math.Max(1, digest[4]));
    }

    private static bool IsHead(string name, LlamaCheckpoint result) => name == LlamaTensorNames.Head && result.Config.Shape.TiedEmbeddings;

    private static bool IsOfAbsentSubBlock(string name, LlamaShape shape) =>
        name.Split('.') is ["model", "layers", string layer, string module, ..]
        && !(module is "self_attn" or "input_layernorm" ? shape.Layers[int.Parse(layer)].HasAttention : shape.Layers[int.Parse(layer)].HasMlp);
}
