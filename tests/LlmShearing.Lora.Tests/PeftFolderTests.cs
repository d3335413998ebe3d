// Adapter folders: what is written is read back, and what does not fit is refused by name.
using System.Text.Json.Nodes;
using LlmShearing.Checkpoints;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Lora.Tests;

public sealed class PeftFolderTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("lora").FullName;

    public static TheoryData<string> Kinds => TinyLora.Kinds;

    public static TheoryData<string> Cases => LoraCase.Present();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Save_ThenLoad_SameAdapter(string kind)
    {
        using LlamaModel model = TinyLlama.Create(TinyLora.Config(kind));
        var options = new LoraOptions
        {
            Rank = 3,
            Alpha = 5.5,
            Dropout = 0.125,
            UseRsLora = true,
            ExcludeModules = ["k_proj"],
            LayersToTransform = [0, 2],
            LayersPattern = ["layers"],
            RankPattern = new Dictionary<string, int> { ["down_proj"] = 2, [@"layers\.0\.self_attn\.q_proj"] = 4 },
            AlphaPattern = new Dictionary<string, double> { ["v_proj"] = 7 },
            ModulesToSave = ["norm"],
            Init = LoraInit.Gaussian,
            BaseModel = "somewhere/base",
        };
        float[] logits;
        Dictionary<string, float[]> values;
        string folder = Path.Combine(_root, "adapter");
        using (LoraAttachment attachment = TinyLora.Attach(model, options))
        {
            logits = TinyLora.Logits(model);
            values = attachment.Parameters.ToDictionary(p => p.Name, p => TinyLora.Values(p.Value));
            attachment.Save(folder);
        }

        using LoraAttachment loaded = LoraAttachment.Load(folder, model);
        Assert.Equal(values, loaded.Parameters.ToDictionary(p => p.Name, p => TinyLora.Values(p.Value)));
        Assert.Equal(logits, TinyLora.Logits(model));
        Assert.Equal(["adapter_config.json", "adapter_model.safetensors"], Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        string again = Path.Combine(_root, "again");
        loaded.Save(again);
        foreach (string file in Directory.GetFiles(folder))
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(again, Path.GetFileName(file))));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Save_PeftAdapter_SameTensorsAndSettings(string name)
    {
        var golden = new LoraCase(name);
        using LlamaModel model = golden.LoadBase();
        using LoraAttachment attachment = LoraAttachment.Load(golden.Folder, model);
        string folder = Path.Combine(_root, "adapter");
        attachment.Save(folder);
        Assert.Equal(File.ReadAllBytes(Path.Combine(golden.Folder, "adapter_model.safetensors")), File.ReadAllBytes(Path.Combine(folder, "adapter_model.safetensors")));
        JsonObject original = Config(golden.Folder), written = Config(folder);
        foreach ((string key, JsonNode? value) in written)
            Assert.True(JsonNode.DeepEquals(Sorted(original[key]), Sorted(value)), $"{key}: {value?.ToJsonString()} instead of {original[key]?.ToJsonString()}");
        Assert.Equal(written.Select(e => e.Key).Order(StringComparer.Ordinal), written.Select(e => e.Key));
        Assert.StartsWith("{\n  \"", File.ReadAllText(Path.Combine(folder, "adapter_config.json")), StringComparison.Ordinal);

        static JsonNode? Sorted(JsonNode? node) =>
            node is JsonArray array ? new JsonArray([.. array.Select(e => e!.DeepClone()).OrderBy(e => e.ToJsonString(), StringComparer.Ordinal)]) : node;
    }

    [Fact]
    public void Save_AllLinear_NamesTheProjections()
    {
        using LlamaModel model = TinyLlama.Create();
        using LoraAttachment attachment = new LoraAdapter(new LoraOptions { TargetPattern = LoraOptions.AllLinear }).Attach(model);
        attachment.Save(Path.Combine(_root, "adapter"));
        Assert.Equal(
            """["down_proj","gate_proj","k_proj","o_proj","q_proj","up_proj","v_proj"]""",
            Config(Path.Combine(_root, "adapter"))["target_modules"]!.ToJsonString());
    }

    [Fact]
    public void Save_FolderThere_OnlyAnAdapterIsReplaced()
    {
        using LlamaModel model = TinyLlama.Create();
        using LoraAttachment attachment = TinyLora.Attach(model);
        string folder = Path.Combine(_root, "adapter");
        attachment.Save(folder);
        Assert.Throws<CheckpointException>(() => attachment.Save(folder));
        attachment.Save(folder, overwrite: true);
        Directory.CreateDirectory(Path.Combine(_root, "other"));
        File.WriteAllText(Path.Combine(_root, "other", "notes.txt"), "keep");
        Assert.Throws<CheckpointException>(() => attachment.Save(Path.Combine(_root, "other"), overwrite: true));
        Assert.Equal("keep", File.ReadAllText(Path.Combine(_root, "other", "notes.txt")));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => attachment.Save(Path.Combine(_root, "new"), cancellationToken: cancelled.Token));
        Assert.Equal(["adapter", "other"], Directory.GetFileSystemEntries(_root).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("use_dora", "true", "use_dora")]
    [InlineData("lora_bias", "true", "lora_bias")]
    [InlineData("bias", "\"all\"", "bias is \"all\"")]
    [InlineData("bias", "\"lora_only\"", "bias is \"lora_only\"")]
    [InlineData("use_qalora", "true", "use_qalora")]
    [InlineData("use_bdlora", "{\"a\":1}", "use_bdlora")]
    [InlineData("alora_invocation_tokens", "[1]", "alora_invocation_tokens")]
    [InlineData("kasa_config", "{\"a\":1}", "kasa_config")]
    [InlineData("layer_replication", "[[0,2]]", "layer_replication")]
    [InlineData("target_parameters", "[\"a\"]", "target_parameters")]
    [InlineData("trainable_token_indices", "[3]", "trainable_token_indices")]
    [InlineData("megatron_config", "{\"a\":1}", "megatron_config")]
    [InlineData("loftq_config", "{\"loftq_bits\":4}", "loftq_config")]
    [InlineData("init_lora_weights", "\"pissa_niter_4\"", "pissa_niter_4")]
    [InlineData("peft_type", "\"IA3\"", "IA3")]
    [InlineData("task_type", "\"SEQ_CLS\"", "SEQ_CLS")]
    [InlineData("r", "0", "r is 0")]
    [InlineData("r", "\"8\"", "r is \"8\"")]
    [InlineData("r", "3", "lora_A.weight: the adapter has [8, 16], config and base ask for [3, 16]")]
    [InlineData("lora_alpha", "-1", "lora_alpha is -1")]
    [InlineData("target_modules", "\"(\"", "'(' is not a regular expression")]
    [InlineData("target_modules", "\"(.*)*x\\\\.(.*)*y$\"", "takes too long|No projection")]
    [InlineData("target_modules", "[\"q_proj\"]", "model.layers.0.mlp.down_proj.lora_A.weight has no place in the base model or is not among the targets")]
    [InlineData("target_modules", "[1]", "target_modules is [1]")]
    [InlineData("target_modules", "[\"nothing\"]", "No projection of the model is a target (names nothing)")]
    [InlineData("target_modules", "[\"q_proj\",\"lm_head\"]", "'lm_head', but adapters go on the projections")]
    [InlineData("modules_to_save", "[\"lm_head\"]", "base_model.model.lm_head.weight is missing")]
    [InlineData("layers_to_transform", "[\"a\"]", "layers_to_transform is [\"a\"]")]
    [InlineData("rank_pattern", "{\"q_proj\":0}", "rank_pattern.q_proj is 0")]
    public void Load_ConfigNotSupportedOrWrong_RefusedByName(string key, string value, string expected)
    {
        string folder = Saved();
        JsonObject config = Config(folder);
        config[key] = JsonNode.Parse(value);
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), config.ToJsonString());
        using LlamaModel model = TinyLlama.Create();
        CheckpointException error = Assert.Throws<CheckpointException>(() => LoraAttachment.Load(folder, model));
        Assert.True(expected.Split('|').Any(e => error.Message.Contains(e, StringComparison.Ordinal)), error.Message);
        Assert.Contains(folder, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_UnknownAndHarmlessKeys_AreIgnored()
    {
        string folder = Saved();
        JsonObject config = Config(folder);
        (config["something_new"], config["kasa_config"], config["init_lora_weights"], config["fan_in_fan_out"]) = (true, null, "eva", true);
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), config.ToJsonString());
        using LlamaModel model = TinyLlama.Create();
        using LoraAttachment attachment = LoraAttachment.Load(folder, model);
        Assert.Equal(42, attachment.Parameters.Count);
    }

    [Fact]
    public void Load_OtherBase_NamesEveryTensorThatDoesNotFit()
    {
        string folder = Saved();
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 2, intermediate: 20));
        CheckpointException error = Assert.Throws<CheckpointException>(() => LoraAttachment.Load(folder, model));
        Assert.Contains("base_model.model.model.layers.0.mlp.gate_proj.lora_B.weight: the adapter has [24, 8], config and base ask for [20, 8]", error.Message, StringComparison.Ordinal);
        Assert.Contains("base_model.model.model.layers.2.", error.Message, StringComparison.Ordinal);
        Assert.All(model.NamedWeights(), w => Assert.False(w.Weight.requires_grad));
        using LoraAttachment stillFree = new LoraAdapter().Attach(model);
    }

    [Fact]
    public void Load_FactorMissing_IsNamed()
    {
        string folder = Saved(), file = Path.Combine(folder, "adapter_model.safetensors");
        const string Lost = "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight";
        using (SafetensorsReader reader = SafetensorsReader.Open(file))
        {
            var kept = reader.Tensors.Where(t => t.Name != Lost)
                .Select(t => (t.Name, t.Dtype, t.Shape, (ReadOnlyMemory<byte>)reader.GetSpan(t).ToArray())).ToList();
            SafetensorsWriter.WriteAll(file + ".new", kept);
        }

        File.Move(file + ".new", file, overwrite: true);
        using LlamaModel model = TinyLlama.Create();
        Assert.Contains(Lost + " is missing", Assert.Throws<CheckpointException>(() => LoraAttachment.Load(folder, model)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_NoAdapter_SaysWhatIsMissing()
    {
        using LlamaModel model = TinyLlama.Create();
        Assert.Throws<CheckpointException>(() => LoraAttachment.Load(Path.Combine(_root, "absent"), model));
        Assert.Contains("adapter_config.json", Assert.Throws<CheckpointException>(() => LoraAttachment.Load(_root, model)).Message, StringComparison.Ordinal);
        string folder = Saved();
        File.Move(Path.Combine(folder, "adapter_model.safetensors"), Path.Combine(folder, "adapter_model.bin"));
        Assert.Contains("pickled", Assert.Throws<CheckpointException>(() => LoraAttachment.Load(folder, model)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("optional/dora", "use_dora")]
    [InlineData("optional/bias-lora-only", "bias is \"lora_only\"")]
    public void Load_PeftAdapterOfAnotherKind_IsRefused(string name, string expected)
    {
        if (Goldens.TryPath("hf/lora/" + name) is not { } folder)
            return;
        using LlamaModel model = TinyLlama.Create();
        Assert.Contains(expected, Assert.Throws<CheckpointException>(() => LoraAttachment.Load(folder, model)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_FactorsInBFloat16_AreWidened()
    {
        string folder = Saved(), file = Path.Combine(folder, "adapter_model.safetensors");
        Dictionary<string, float[]> expected = [];
        using (SafetensorsReader reader = SafetensorsReader.Open(file))
        {
            SafetensorsWriter.WriteAll(file + ".new", [.. reader.Tensors.Select(t =>
            {
                float[] values = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(reader.GetSpan(t)).ToArray();
                byte[] narrow = new byte[values.Length * 2];
                DtypeConversion.FromFloat32(SafetensorsDtype.BF16, values, narrow);
                DtypeConversion.ToFloat32(SafetensorsDtype.BF16, narrow, values);
                expected[t.Name] = values;
                return (t.Name, SafetensorsDtype.BF16, t.Shape, (ReadOnlyMemory<byte>)narrow);
            })]);
        }

        File.Move(file + ".new", file, overwrite: true);
        using LlamaModel model = TinyLlama.Create();
        using LoraAttachment attachment = LoraAttachment.Load(folder, model);
        Assert.Equal(expected, attachment.Parameters.ToDictionary(p => p.Name, p => TinyLora.Values(p.Value)));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static JsonObject Config(string folder) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")))!.AsObject();

    private string Saved()
    {
        using LlamaModel model = TinyLlama.Create();
        using LoraAttachment attachment = TinyLora.Attach(model);
        attachment.Save(Path.Combine(_root, "saved"));
        return Path.Combine(_root, "saved");
    }
}
