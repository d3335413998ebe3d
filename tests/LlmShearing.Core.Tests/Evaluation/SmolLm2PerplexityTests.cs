using System.Text.Json;
using LlmShearing.Evaluation;
using LlmShearing.Execution;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Evaluation;

/// <summary>A real model of 30 blocks: goldens eval/ppl/smollm2-135m-instruct and hf/smollm2. All cases with LLMSHEARING_FULL=1, else a choice of short ones.</summary>
[Trait("Category", "Slow")]
public sealed class SmolLm2PerplexityTests
{
    private const string Folder = "eval/ppl/smollm2-135m-instruct", Reference = "hf/smollm2";

    // A few tokens of this model are ill-conditioned in float32 (residual channels above 20000): token 4 of window 21 of wikitext2-shortened-bosfirst-128
    // is 9.97510 in float64, 9.97527 in the reference, 9.9755 to 9.9758 with other summation orders. The mean difference of a case stays below 2.5e-5.
    private const double PerToken = 1e-3;
    private static readonly Lazy<LlamaModel> Model = new(() => LlamaModel.Load(SmolLm2.Folder()));

    private static bool Full => Environment.GetEnvironmentVariable("LLMSHEARING_FULL") == "1";

    public static TheoryData<string> Cases()
    {
        var data = new TheoryData<string>();
        foreach (string name in Full ? PerplexityGoldenTests.CaseNames(Folder) : ["ptb-llmpruner-128", "ptb-shortened-bosfirst-128", "ptb-shortened-bosevery-128"])
            data.Add(name);
        return data;
    }

    public static TheoryData<string, int> Streams()
    {
        var data = new TheoryData<string, int> { { "cc", 512 } };
        if (Full)
            foreach ((string domain, int window) in new[] { ("github", 512), ("arxiv", 512), ("cc", 2048), ("github", 2048), ("arxiv", 2048) })
                data.Add(domain, window);
        return data;
    }

    [SmolLm2Theory(Folder)]
    [MemberData(nameof(Cases))]
    public void Evaluate_PublishedProtocol_GivesThePublishedNumbers(string name) => PerplexityGoldenTests.Check(Model.Value, Folder, name, PerToken);

    [SmolLm2Theory(Folder)]
    [InlineData("wikitext")]
    [InlineData("c4")]
    public void TokenLosses_RollingWindows_GiveTheHarnessLogLikelihoods(string task) =>
        PerplexityGoldenTests.CheckRolling(Model.Value, Folder, task, Full ? int.MaxValue : 1);

    [SmolLm2Theory(Reference)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void TokenLosses_Text_EqualTransformers(int text)
    {
        using var tensors = new GoldenTensors(Reference + "/reference.safetensors");
        float[] losses = new PerplexityEvaluator().TokenLosses(Model.Value, [new PerplexityWindow(tensors.Ints($"text{text}.input_ids"), 0, 0, 0)])[0];
        Near.Equal(tensors.Floats($"text{text}.token_nll"), losses, 5e-4, what: $"text {text}");
    }

    [SmolLm2Fact(Reference)]
    public void TokenLosses_TextStreamedFromDisk_EqualTransformers()
    {
        using var tensors = new GoldenTensors(Reference + "/reference.safetensors");
        using StreamedLlama model = StreamedLlama.Open(SmolLm2.Folder());
        PerplexityWindow[] windows = [.. Enumerable.Range(0, 4).Select(text => new PerplexityWindow(tensors.Ints($"text{text}.input_ids"), 0, text, 0))];
        IReadOnlyList<float[]> losses = new PerplexityEvaluator().TokenLosses(model, windows);
        for (int text = 0; text < 4; text++)
            Near.Equal(tensors.Floats($"text{text}.token_nll"), losses[text], 5e-4, what: $"text {text}");
    }

    [SmolLm2Theory(Reference)]
    [MemberData(nameof(Streams))]
    public void Evaluate_Stream_WindowMeansEqualTransformers(string domain, int window)
    {
        using var tensors = new GoldenTensors(Reference + "/reference.safetensors");
        JsonElement expected = JsonDocument.Parse(File.ReadAllText(Goldens.Path(Reference + "/meta.json"))).RootElement
            .GetProperty("streams").GetProperty(domain).GetProperty($"window_{window}");
        double[] means = [.. expected.GetProperty("mean_nll_per_window").EnumerateArray().Select(e => e.GetDouble())];
        int count = Full ? means.Length : 3;
        PerplexityResult result = new PerplexityEvaluator().Evaluate(
            Model.Value, [tensors.Ints($"stream.{domain}.ids")], PerplexityProtocol.Preset("flap", window) with { MaxWindows = count });
        for (int w = 0; w < count; w++)
            Assert.Equal(means[w], result.PerSequence[w].MeanNll, 5e-5);
        if (Full)
            Near.Equal(expected.GetProperty("perplexity").GetDouble(), result.Perplexity, 0, 5e-5);
    }
}
