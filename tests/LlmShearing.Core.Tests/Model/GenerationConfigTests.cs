// generation_config.json is read strictly and followed; sequences beyond the model's positions are told of.
using System.Text;
using LlmShearing.Evaluation;
using LlmShearing.Model;
using LlmShearing.Testing;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Core.Tests.Model;

public sealed class GenerationConfigTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""{"eos_token_id": 7}""", new[] { 7 })]
    [InlineData("""{"eos_token_id": [7, 9, 11]}""", new[] { 7, 9, 11 })]
    [InlineData("""{"eos_token_id": []}""", new int[0])]
    [InlineData("""{"eos_token_id": null}""", null)]
    [InlineData("{}", null)]
    public void Load_EosIds_OneOrMany(string json, int[]? expected)
    {
        GenerationConfig config = Read(json)!;
        Assert.Equal(expected, config.ToSamplingOptions().StopIds);
        Assert.Equal(0, config.ToSamplingOptions().Temperature);
    }

    [Fact]
    public void Load_NoFile_IsNull() => Assert.Null(GenerationConfig.Load(_folder.Path));

    [Fact]
    public void ToSamplingOptions_FollowsDoSample()
    {
        const string Settings = "\"temperature\": 0.6, \"top_p\": 0.9, \"repetition_penalty\": 1.1";
        Assert.Equal(new SamplingOptions { Temperature = 0.6, TopP = 0.9, TopK = 50, RepetitionPenalty = 1.1 }, Read($$"""{"do_sample": true, {{Settings}}}""")!.ToSamplingOptions());
        Assert.Equal(new SamplingOptions { RepetitionPenalty = 1.1 }, Read($$"""{{{Settings}}}""")!.ToSamplingOptions());
        Assert.Equal(new SamplingOptions { Temperature = 1, TopK = 50 }, Read("""{"do_sample": true}""")!.ToSamplingOptions());
        Assert.Equal(new SamplingOptions { Temperature = 1, TopK = 0 }, Read("""{"do_sample": true, "top_k": 0}""")!.ToSamplingOptions());
    }

    [Theory]
    [InlineData("""{"eos_token_id": "2"}""", "eos_token_id")]
    [InlineData("""{"eos_token_id": [1, null]}""", "eos_token_id")]
    [InlineData("""{"eos_token_id": -1}""", "eos_token_id")]
    [InlineData("""{"eos_token_id": 1.5}""", "eos_token_id")]
    [InlineData("""{"do_sample": "yes"}""", "do_sample")]
    [InlineData("""{"temperature": -0.1}""", "temperature")]
    [InlineData("""{"temperature": 1e400}""", "temperature")]
    [InlineData("""{"top_k": 2.5}""", "top_k")]
    [InlineData("""{"top_k": -1}""", "top_k")]
    [InlineData("""{"top_p": 1.5}""", "top_p")]
    [InlineData("""{"repetition_penalty": 0}""", "repetition_penalty")]
    [InlineData("[1]", "not a JSON object")]
    [InlineData("{", "not valid JSON")]
    public void Load_BadValue_IsRefusedByName(string json, string named)
    {
        string message = Assert.ThrowsAny<CheckpointException>(() => Read(json)).Message;
        Assert.Contains(named, message, StringComparison.Ordinal);
        Assert.Contains(GenerationConfig.FileName, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Generate_AnyOfTheStopIds_EndsTheRow()
    {
        using LlamaModel model = TinyLlama.Create();
        int[] free = Ids(model, new SamplingOptions { MaxNewTokens = 10, StopIds = [] });
        int last = Array.IndexOf(free, free[3]);
        Assert.Equal(free[..(last + 1)], Ids(model, new SamplingOptions { MaxNewTokens = 10, StopIds = Read($$"""{"eos_token_id": [49999, {{free[3]}}]}""")!.ToSamplingOptions().StopIds }));
    }

    [Fact]
    public void Generate_RepetitionPenalty_WeakensWhatIsThere()
    {
        using LlamaModel model = TinyLlama.Create();
        var options = new SamplingOptions { MaxNewTokens = 12, StopIds = [], KeepLogits = true, RepetitionPenalty = 1000 };
        TokenBatch prompts = LlamaGenerator.LeftPad([[5, 6, 7], [8]]);
        GenerationStep first = LlamaGenerator.Generate(model, prompts, options).First(), plain = LlamaGenerator.Generate(model, prompts, options with { RepetitionPenalty = 1 }).First();
        int[][] seen = [[5, 6, 7], [8]];
        for (int r = 0; r < 2; r++)
            for (int v = 0; v < 50; v++)
            {
                float before = plain.Logits[r][v], expected = !seen[r].Contains(v) ? before : before > 0 ? before / 1000 : before * 1000;
                Near.Equal(expected, first.Logits[r][v], 1e-6, 1e-4, $"row {r}, id {v}");
            }

        Assert.Equal(12, Ids(model, options).Distinct().Count());
        Assert.Equal(Ids(model, options), Ids(model, options with { KeepLogits = false }));
        Assert.Throws<ArgumentOutOfRangeException>(() => Ids(model, options with { RepetitionPenalty = 0 }));
    }

    [Fact]
    public void Work_BeyondTheTrainedPositions_IsToldOfOnce()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config() with { MaxPositionEmbeddings = 8 });
        var warnings = new WarningList();
        _ = LlamaGenerator.Generate(model, TokenBatch.FromRows([[1, 2, 3]]), new SamplingOptions { MaxNewTokens = 5, Logger = warnings }).Count();
        new PerplexityEvaluator(logger: warnings).Evaluate(model, [[1, 2, 3, 4, 5, 6, 7, 8]], PerplexityProtocol.Preset("rows"));
        Assert.Empty(warnings);
        _ = LlamaGenerator.Generate(model, TokenBatch.FromRows([[1, 2, 3]]), new SamplingOptions { MaxNewTokens = 6, Logger = warnings }).Count();
        Assert.Contains("8 positions (max_position_embeddings)", Assert.Single(warnings), StringComparison.Ordinal);
        new PerplexityEvaluator(logger: warnings).Evaluate(model, [[.. Enumerable.Range(0, 9)], [.. Enumerable.Range(0, 9)]], PerplexityProtocol.Preset("rows"));
        Assert.Equal(2, warnings.Count);
    }

    [Fact]
    public void Train_BeyondTheTrainedPositions_IsToldOfOnce()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config() with { MaxPositionEmbeddings = 7 });
        using var full = new FullModel(model);
        using var data = new ScriptedData(length: 8);
        TrainingResult result = new Trainer().Run(full, data, new TrainingRunOptions { Steps = 3 }, _folder["run"]);
        Assert.Contains("7 positions (max_position_embeddings)", Assert.Single(result.Warnings), StringComparison.Ordinal);
    }

    private static int[] Ids(LlamaModel model, SamplingOptions options) =>
        [.. LlamaGenerator.Generate(model, TokenBatch.FromRows([[1, 2, 3]]), options).Select(s => s.Ids[0])];

    private GenerationConfig? Read(string json)
    {
        _folder.File(GenerationConfig.FileName, Encoding.UTF8.GetBytes(json));
        return GenerationConfig.Load(_folder.Path);
    }
}
