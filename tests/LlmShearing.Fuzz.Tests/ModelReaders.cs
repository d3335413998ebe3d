// Model folders, their files, plans, scores, adapters.
using System.Text.Json.Nodes;
using LlmShearing.Checkpoints;
using LlmShearing.Lora;
using LlmShearing.Model;
using LlmShearing.Scoring;
using LlmShearing.Testing;

namespace LlmShearing.Fuzz.Tests;

internal static class ModelReaders
{
    private const string Config = """
        { "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
          "num_key_value_heads": 2, "head_dim": 4, "hidden_act": "silu", "rms_norm_eps": 1e-05, "max_position_embeddings": 256, "bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0,
          "rope_theta": 500000.0, "rope_scaling": { "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 128 },
          "tie_word_embeddings": false, "attention_bias": false, "mlp_bias": false, "attention_dropout": 0.0, "initializer_range": 0.02, "torch_dtype": "float32", "use_cache": true }
        """;

    private static readonly Lazy<LlamaModel> Model = new(() => TinyLlama.Create());

    public static IEnumerable<FuzzReader> All()
    {
        yield return FuzzReaders.Text("config", "config.json", FuzzShape.Json, Config, f => LlamaConfigJson.Load(f));
        yield return FuzzReaders.Text("config-mistral", "config.json", FuzzShape.Json,
            Config.Replace("\"llama\"", "\"mistral\"", StringComparison.Ordinal).Replace("LlamaFor", "MistralFor", StringComparison.Ordinal)
                .Replace("\"use_cache\"", "\"sliding_window\": 64, \"use_cache\"", StringComparison.Ordinal),
            f => LlamaConfigJson.Load(f));
        // A config may announce as many blocks as are allowed: all their tensors are then listed as missing.
        yield return new("model-config", "config.json", FuzzShape.Json, Folder, ReadModel) { MaxBytes = 64L << 20 };
        yield return new("safetensors", "model.safetensors", FuzzShape.Safetensors, Folder, f =>
        {
            using SafetensorsReader reader = SafetensorsReader.Open(Path.Combine(f, "model.safetensors"));
            byte[] buffer = new byte[4096];
            foreach (SafetensorsEntry entry in reader.Tensors)
                reader.Read(entry, 0, buffer.AsSpan(0, (int)Math.Min(buffer.Length, entry.ByteLength)));
        });
        yield return new("model-weights", "model.safetensors", FuzzShape.Safetensors, Folder, ReadModel);
        yield return new("shard-index", "model.safetensors.index.json", FuzzShape.Json, f =>
        {
            Folder(f);
            string one = Path.Combine(f, "model-00001-of-00001.safetensors");
            File.Move(Path.Combine(f, "model.safetensors"), one);
            File.WriteAllText(Path.Combine(f, "model.safetensors.index.json"),
                "{\"metadata\":{\"total_size\":" + (new FileInfo(one).Length / 2) + "},\"weight_map\":{" +
                string.Join(",", Model.Value.NamedWeights().Select(w => $"\"{w.Name}\":\"{Path.GetFileName(one)}\"")) + "}}");
        }, ReadModel);
        yield return FuzzReaders.Text("generation-config", GenerationConfig.FileName, FuzzShape.Json,
            """{ "bos_token_id": 1, "eos_token_id": [2, 3], "do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.9, "repetition_penalty": 1.1, "max_length": 4096, "transformers_version": "4.40.0" }""", Generate);
        yield return new("plan", "plan.json", FuzzShape.Json,
            f => PruningPlan.Identity(Model.Value.Config.Shape).Save(Path.Combine(f, "plan.json")), f => PruningPlan.Load(Path.Combine(f, "plan.json")).Validate());
        yield return new("scores", "scores.json", FuzzShape.Json, Scores, f => ImportanceScoresJson.Load(Path.Combine(f, "scores.json")));
        yield return new("adapter-config", "adapter_config.json", FuzzShape.Json, Adapter, ReadAdapter);
        yield return new("adapter-weights", "adapter_model.safetensors", FuzzShape.Safetensors, Adapter, ReadAdapter);
        foreach (string file in new[] { "adapter_config.json", "adapter_model.safetensors" })
            foreach (bool resized in new[] { false, true })
                yield return new($"adapter-{(resized ? "resized" : "embeddings")}-{(file[^1] == 'n' ? "config" : "weights")}", file, file[^1] == 'n' ? FuzzShape.Json : FuzzShape.Safetensors, f => AdapterWithEmbeddings(f, resized), MergeAdapter);
    }

    private static void Generate(string path)
    {
        SamplingOptions options = GenerationConfig.Load(Path.GetDirectoryName(path)!)?.ToSamplingOptions() ?? new SamplingOptions();
        foreach (GenerationStep _ in LlamaGenerator.Generate(Model.Value, LlamaGenerator.LeftPad([[1, 4]]), options with { MaxNewTokens = 3 }))
        {
        }
    }

    public static void Folder(string folder) => TinyFolder.Write(Model.Value, folder);

    private static void ReadModel(string folder)
    {
        using LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(folder);
        float[] values = new float[16];
        foreach (string name in checkpoint.Tensors.Keys)
            checkpoint.ReadFloat32(name, values.AsSpan(0, (int)Math.Min(values.Length, checkpoint[name].ElementCount)));
    }

    private static void Scores(string folder)
    {
        LlamaShape shape = Model.Value.Config.Shape;
        static IEnumerable<double> Row(int n) => [.. Enumerable.Range(0, n).Select(i => i + 0.5)];
        ImportanceScores scores = new ImportanceScores(shape, "mine") { BlockWindows = [[1, double.NaN, 0.1], [double.PositiveInfinity, 3], [2]] };
        scores = scores.With(PruningAxes.Hidden, Row(shape.HiddenSize)).With(PruningAxes.QueryHeads, shape.Layers.Select(l => Row(l.QueryHeads))).With(PruningAxes.Layers, Row(shape.Layers.Length));
        ImportanceScoresJson.Save(scores, Path.Combine(folder, "scores.json"));
    }

    private static void Adapter(string folder)
    {
        using LoraAttachment attached = new LoraAdapter(new LoraOptions { Rank = 2 }).Attach(Model.Value);
        attached.Save(folder, overwrite: true);
    }

    // Of a base whose vocabulary is as it was, or was made longer before training; the file of settings does not name the embeddings, as PEFT writes it then.
    private static void AdapterWithEmbeddings(string folder, bool resized)
    {
        using LlamaModel trained = TinyLlama.Create(TinyLlama.Config(vocabulary: resized ? 53 : 50));
        using (LoraAttachment attached = new LoraAdapter(new LoraOptions { Rank = 2, ModulesToSave = ["embed_tokens", "lm_head"] }).Attach(trained))
            attached.Save(folder, overwrite: true);
        string config = Path.Combine(folder, "adapter_config.json");
        JsonObject settings = JsonNode.Parse(File.ReadAllText(config))!.AsObject();
        settings["modules_to_save"] = null;
        File.WriteAllText(config, settings.ToJsonString());
        Folder(Path.Combine(folder, "base"));
    }

    private static void MergeAdapter(string folder)
    {
        // A folder of its own for the adapter: what is beside it is not the base's.
        string adapter = Path.Combine(folder, "adapter");
        Directory.CreateDirectory(adapter);
        foreach (string file in new[] { "adapter_config.json", "adapter_model.safetensors" })
            Copies.File(Path.Combine(folder, file), Path.Combine(adapter, file));
        LoraMerge.Apply(Path.Combine(folder, "base"), adapter, Path.Combine(folder, "out"), new LoraMergeOptions { Overwrite = true });
    }

    private static void ReadAdapter(string folder)
    {
        using LoraAttachment attached = LoraAttachment.Load(folder, Model.Value);
    }
}
