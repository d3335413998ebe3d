// The short ways from logits to a token give what the way over all logits gives.
using LlmShearing.Model;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Devices;

public class GenerationReadsTests
{
    public static TheoryData<double, int, double> Settings => new() { { 0, 0, 1 }, { 0.7, 1, 1 }, { 1, 3, 1 }, { 1, 40, 0.9 }, { 2, 0, 0.8 }, { 1, int.MaxValue, 1 } };

    [Theory]
    [MemberData(nameof(Settings))]
    public void Generate_WithAndWithoutLogits_SameTokens(double temperature, int topK, double topP)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(vocabulary: 300), 4);
        var options = new SamplingOptions { MaxNewTokens = 12, StopIds = [], Temperature = temperature, TopK = topK, TopP = topP, Seed = 5 };
        TokenBatch prompts = TokenBatch.FromRows(TinyLlama.Rows(1, 300, 6, 6));
        GenerationStep[] whole = [.. LlamaGenerator.Generate(model, prompts, options with { KeepLogits = true })], part = [.. LlamaGenerator.Generate(model, prompts, options)];
        Assert.Equal(whole.SelectMany(s => s.Ids), part.SelectMany(s => s.Ids));
        Assert.All(whole, s => Assert.Equal(300, s.Logits[1].Length));
        Assert.All(part, s => Assert.Empty(s.Logits));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public void Next_TiesForTheLastPlace_GoToTheLowerId(int topK)
    {
        var options = new SamplingOptions { Temperature = 1, TopK = topK, Seed = 1 };
        float[] logits = [.. Enumerable.Range(0, 400).Select(i => i is 399 or 7 ? 5f : 1)];
        var chosen = new HashSet<int>();
        TokenSampler whole = new(options), part = new(options);
        for (int i = 0; i < 200; i++)
        {
            using var scope = NewDisposeScope();
            int id = part.Next(tensor(logits, 1, 400), [false])[0];
            Assert.Equal(whole.Next(logits), id);
            chosen.Add(id);
        }

        Assert.Subset(new HashSet<int> { 7, 399, 0, 1, 2 }, chosen);
    }
}
