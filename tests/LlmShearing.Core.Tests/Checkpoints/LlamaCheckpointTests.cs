using System.Text.Json.Nodes;
using LlmShearing.Checkpoints;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Checkpoints;

public class LlamaCheckpointTests
{
    private const string Models = "hf/models", Negative = "hf/models/negative";

    public static TheoryData<string> ModelFolders() => Folders(Models, name => name is not ("negative" or "optional"));

    public static TheoryData<string> NegativeFolders() => Folders(Negative, _ => true);

    [GoldenTheory(Models)]
    [MemberData(nameof(ModelFolders))]
    public void Open_GoldenModel_AgreesWithItsMetadata(string name)
    {
        string folder = Goldens.Path($"{Models}/{name}");
        JsonObject meta = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "meta.json")))!.AsObject();
        using LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(folder);
        Assert.Equal((string)meta["model_type"]!, checkpoint.Config.ModelType);
        Assert.Equal((string)meta["stored_dtype"]!, checkpoint.Config.StoredDtype);
        Assert.Equal((long)meta["parameters"]!, checkpoint.Config.Shape.ParameterCount);
        Assert.Equal(checkpoint.Config.Shape.ParameterCount, checkpoint.Tensors.Values.Sum(t => t.ElementCount));
        Assert.Equal(checkpoint.TotalBytes, checkpoint.Tensors.Values.Sum(t => t.ByteLength));
        Assert.All(checkpoint.Tensors.Values, t => Assert.Equal(checkpoint.Config.StoredDtype, t.Dtype switch
        {
            SafetensorsDtype.F32 => "float32",
            SafetensorsDtype.F16 => "float16",
            _ => "bfloat16",
        }));
    }

    [GoldenTheory(Negative)]
    [MemberData(nameof(NegativeFolders))]
    public void Open_NegativeGolden_IsRefusedWithTheMessageAskedFor(string name)
    {
        string folder = Goldens.Path($"{Negative}/{name}");
        JsonObject expected = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")))!.AsObject();
        CheckpointException e = Assert.ThrowsAny<CheckpointException>(() => LlamaCheckpoint.Open(folder).Dispose());
        // The path holds the case's name, which must not satisfy the test by itself.
        string message = e.Message.Replace(folder, "", StringComparison.Ordinal);
        if (name is "config-missing")
            message = e.Message;
        Assert.All(expected["message_must_contain"]!.AsArray(), part => Assert.Contains((string)part!, message, StringComparison.OrdinalIgnoreCase));
    }

    [GoldenTheory("hf/models/optional")]
    [InlineData("llama-gelu", "gelu")]
    [InlineData("llama-yarn", "yarn")]
    public void Open_OptionalFeature_IsRefusedByName(string name, string feature)
    {
        CheckpointException e = Assert.ThrowsAny<CheckpointException>(() => LlamaCheckpoint.Open(Goldens.Path($"{Models}/optional/{name}")).Dispose());
        Assert.Contains($"'{feature}'", e.Message);
    }

    [GoldenFact("hf/models/llama-tied-extra-head", "hf/models/llama-oldstyle")]
    public void Open_TensorsOfNoUse_AreReportedAsIgnored()
    {
        using LlamaCheckpoint tied = LlamaCheckpoint.Open(Goldens.Path("hf/models/llama-tied-extra-head"));
        Assert.Equal(["lm_head.weight"], tied.Report.Ignored.ToArray());
        Assert.False(tied.Tensors.ContainsKey("lm_head.weight"));
        using LlamaCheckpoint old = LlamaCheckpoint.Open(Goldens.Path("hf/models/llama-oldstyle"));
        Assert.Equal(3, old.Report.Ignored.Length);
        Assert.Equal(-1, old.Config.PadTokenId);
    }

    [GoldenFact("hf/models/llama-bf16", "hf/models/llama-fp16", "hf/models/llama-sharded")]
    public void ReadFloat32_AnyPartOfATensor_EqualsTheWhole()
    {
        foreach (string name in (string[])["llama-bf16", "llama-fp16", "llama-sharded"])
        {
            using LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(Goldens.Path($"{Models}/{name}"));
            CheckpointTensor tensor = checkpoint["model.layers.1.mlp.up_proj.weight"];
            float[] all = new float[tensor.ElementCount], part = new float[50];
            checkpoint.ReadFloat32(tensor.Name, all);
            checkpoint.ReadFloat32(tensor.Name, part, 33);
            Assert.Equal(all.AsSpan(33, 50).ToArray(), part);
            float[] viaMap = new float[tensor.ElementCount];
            DtypeConversion.ToFloat32(tensor.Dtype, checkpoint.GetSpan(tensor), viaMap);
            Assert.Equal(all, viaMap);
            Assert.Throws<ArgumentOutOfRangeException>(() => checkpoint.ReadFloat32(tensor.Name, part, all.Length - 49));
        }
    }

    [GoldenFact("hf/models/llama2-mha")]
    public void Open_SeveralProblems_AreReportedTogether()
    {
        using var temporary = new TemporaryFolder();
        string folder = temporary.CopyOf(Goldens.Path("hf/models/llama2-mha"));
        string config = Path.Combine(folder, "config.json");
        JsonObject json = JsonNode.Parse(File.ReadAllText(config))!.AsObject();
        json["num_hidden_layers"] = 4;
        json["intermediate_size"] = 50;
        File.WriteAllText(config, json.ToJsonString());
        string message = Assert.Throws<CheckpointException>(() => LlamaCheckpoint.Open(folder)).Message;
        Assert.Contains("9 missing", message);
        Assert.Contains("9 wrong shape", message);
        Assert.Contains("model.layers.3.self_attn.q_proj.weight", message);
        Assert.Contains("model.layers.0.mlp.down_proj.weight: expected [32, 50], found [32, 48]", message);
    }

    [GoldenFact("hf/models/llama2-mha")]
    public void Open_DanglingLink_IsRefusedByName()
    {
        using var temporary = new TemporaryFolder();
        string folder = temporary.CopyOf(Goldens.Path("hf/models/llama2-mha"));
        string file = Path.Combine(folder, "model.safetensors");
        File.Delete(file);
        File.CreateSymbolicLink(file, Path.Combine(folder, "gone"));
        Assert.Contains("model.safetensors", Assert.Throws<CheckpointException>(() => LlamaCheckpoint.Open(folder)).Message);
    }

    private static TheoryData<string> Folders(string root, Func<string, bool> wanted)
    {
        var data = new TheoryData<string>();
        foreach (string folder in Goldens.TryPath(root) is string path ? Directory.GetDirectories(path) : [])
            if (wanted(Path.GetFileName(folder)))
                data.Add(Path.GetFileName(folder));
        return data;
    }
}
