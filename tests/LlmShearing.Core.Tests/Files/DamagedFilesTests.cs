// Every member of every JSON file that this library reads, damaged in every way: what comes out is an error of ours that names the file.
using LlmShearing.Testing.Training;
using LlmShearing.Checkpoints;
using LlmShearing.Core.Tests.Planning;
using LlmShearing.Files;
using LlmShearing.Model;
using LlmShearing.Planning;
using LlmShearing.Scoring;
using LlmShearing.Testing;
using LlmShearing.Training.Runs;

namespace LlmShearing.Core.Tests.Files;

public sealed class DamagedFilesTests : IDisposable
{
    private const string Config = """
        { "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
          "num_key_value_heads": 2, "head_dim": 4, "vocab_size": 32, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 64, "tie_word_embeddings": false,
          "bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0, "torch_dtype": "float32", "attention_bias": false, "mlp_bias": false, "hidden_act": "silu",
          "rope_scaling": { "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32 } }
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Config_OnlyOurErrors() => Check("config.json", Config, f => LlamaConfigJson.Load(f), 24);

    [Fact]
    public void Index_OnlyOurErrors() =>
        Check(ShardIndex.FileName, """{ "metadata": { "total_size": 8 }, "weight_map": { "a": "model-1.safetensors", "b": "model-2.safetensors" } }""", f => ShardIndex.Load(f));

    [Fact]
    public void Plan_OnlyOurErrors()
    {
        LlamaShape target = TargetShape.Of(TestShapes.Gqa10, new TargetSizes { Layers = 6, Hidden = 30, QueryHeads = 2, KeyValueHeads = 1, Intermediate = 11 });
        new TargetedWidthStrategy().CreatePlan(target, TestShapes.RandomScores(TestShapes.Gqa10, new Random(12))).Save(_folder["plan.json"]);
        Check("plan.json", File.ReadAllText(_folder["plan.json"]), f => PruningPlan.Load(f), 12);
    }

    [Fact]
    public void Scores_OnlyOurErrors()
    {
        ImportanceScoresJson.Save(TestShapes.RandomScores(TestShapes.Gqa10, new Random(12)), _folder["scores.json"]);
        Check("scores.json", File.ReadAllText(_folder["scores.json"]), f => ImportanceScoresJson.Load(f), 3);
    }

    // A checkpoint's files have checksums; what reads them without is the list of checkpoints. Both know one exception that the run turns into a warning.
    [Theory]
    [InlineData(CheckpointStore.State)]
    [InlineData(CheckpointStore.Checksums)]
    public void Checkpoint_IsDamagedNotMore(string name)
    {
        using var bench = new RunBench();
        bench.Start();
        var store = new CheckpointStore(bench.Run, OutputFiles.Default);
        long step = store.Steps()[^1];
        string file = Path.Combine(store.PathOf(step), name), json = File.ReadAllText(file);
        foreach ((string what, byte[] content) in JsonMutations.Of(json, 12))
        {
            File.WriteAllBytes(file, content);
            Assert.True(Record(() => store.ReadVerified(step)) is null or FormatException, what);
            Assert.True(Record(() => store.ReadState(step)) is null or FormatException, what);
            Assert.NotEmpty(TrainingCheckpoint.List(bench.Run));
        }
    }

    [Fact]
    public void Log_IsCutAtTheDamage()
    {
        string line = """{"kind":"step","step":1,"loss":2.5,"time":{"seconds":1}}""";
        foreach ((string what, byte[] content) in JsonMutations.Of(line))
        {
            File.WriteAllBytes(_folder.File(RunLog.FileName, []), [.. content, (byte)'\n']);
            Assert.True(Record(() => RunLog.Open(_folder.Path, 5, out _).Dispose()) is null, what);
        }
    }

    private static Exception? Record(Action action) => Xunit.Record.Exception(action);

    private void Check(string name, string json, Action<string> read, int entries = 8)
    {
        string file = _folder[name];
        File.WriteAllText(file, json);
        read(file);
        IReadOnlyList<string> failures = JsonMutations.Failures(file, json, () => read(file), entries);
        Assert.True(failures.Count == 0, string.Join("\n", failures.Take(30)));
    }
}
