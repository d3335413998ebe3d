// Every member of an adapter's configuration, damaged in every way: what comes out is an error of ours that names the file.
using LlmShearing.Testing;

namespace LlmShearing.Lora.Tests;

public sealed class DamagedAdapterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AdapterConfig_OnlyOurErrors()
    {
        string file = _folder[PeftConfig.FileName];
        const string json = """
            { "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "lora_dropout": 0.1, "use_rslora": false, "bias": "none", "fan_in_fan_out": false,
              "target_modules": ["q_proj", "v_proj"], "exclude_modules": ["k_proj"], "layers_to_transform": [0, 1], "layers_pattern": "layers", "rank_pattern": { "q_proj": 2 },
              "alpha_pattern": { "v_proj": 3 }, "modules_to_save": ["norm"], "init_lora_weights": true, "base_model_name_or_path": "b", "loftq_config": {}, "use_dora": false,
              "megatron_config": null, "inference_mode": true, "revision": null, "layer_replication": null }
            """;
        File.WriteAllText(file, json);
        PeftConfig.Read(file);
        IReadOnlyList<string> failures = JsonMutations.Failures(file, json, () => PeftConfig.Read(file), 40);
        Assert.True(failures.Count == 0, string.Join("\n", failures.Take(30)));
    }
}
