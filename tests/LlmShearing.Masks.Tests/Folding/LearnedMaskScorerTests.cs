// Masks as scores: the strategy then keeps what the masks keep, and plans for other shapes come from the same file.
using LlmShearing.DependencyInjection;
using LlmShearing.Planning;
using LlmShearing.Scoring;
using LlmShearing.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmShearing.Masks.Tests.Folding;

public class LearnedMaskScorerTests
{
    [Theory]
    [InlineData(4, 4, 2, 2)]
    [InlineData(8, 4, 4, 2)]
    [InlineData(8, 4, 4, 4)]
    [InlineData(12, 4, 4, 2)]
    [InlineData(4, 1, 2, 1)]
    public void ScoresOf_TargetedWidth_KeepsWhatTheMasksKeep(int q, int kv, int targetQ, int targetKv)
    {
        for (int seed = 0; seed < 5; seed++)
        {
            using MaskState masks = State(q, kv, targetQ, targetKv, seed);
            PruningPlan folded = MaskFold.Plan(masks.Deterministic());
            PruningPlan planned = new TargetedWidthStrategy().CreatePlan(masks.Layout.Target!, LearnedMaskScorer.ScoresOf(masks));
            Assert.Equal(folded.Hidden, planned.Hidden);
            Assert.Equal(folded.Layers.AsEnumerable(), planned.Layers);
        }
    }

    [Fact]
    public void ScoresOf_EqualLogits_TiesAreCutAlike()
    {
        using MaskState masks = State(12, 4, 4, 2, 0);
        foreach (MaskFamily family in masks.Layout.Families)
            masks.Logits(family.Axis).Fill(1);
        PruningPlan folded = MaskFold.Plan(masks.Deterministic());
        Assert.Equal(IndexSet.Of(Enumerable.Range(0, 8)), folded.Hidden);
        Assert.Equal([1, 2, 3], folded.Layers.Select(l => l.SourceIndex));
        PruningPlan planned = new TargetedWidthStrategy().CreatePlan(masks.Layout.Target!, LearnedMaskScorer.ScoresOf(masks));
        Assert.Equal(folded.Hidden, planned.Hidden);
        Assert.Equal(folded.Layers.AsEnumerable(), planned.Layers);
    }

    // A float32 soft value cannot tell logits near the upper bound apart; the scores have to.
    [Fact]
    public void ScoresOf_NeighbouringLogits_KeepTheirOrder()
    {
        using MaskState masks = State(4, 4, 2, 2, 0);
        float top = (float)HardConcrete.LogitBound - 0.001f;
        Span<float> logits = masks.Logits(PruningAxes.Hidden);
        for (int i = 0; i < logits.Length; i++)
            (logits[i], top) = (top, float.BitIncrement(top));
        Assert.Equal(Enumerable.Range(0, 16), LearnedMaskScorer.ScoresOf(masks)[PruningAxes.Hidden][0].Select((s, i) => (s, i)).OrderBy(p => p.s).Select(p => p.i));
        Assert.Equal(IndexSet.Of(Enumerable.Range(8, 8)), MaskFold.Plan(masks.Deterministic()).Hidden);
    }

    [Fact]
    public void Score_SavedFile_ServesTheLearnedAndANearbyTarget()
    {
        using MaskState masks = State(8, 4, 4, 2, 3);
        string path = Path.Combine(Path.GetTempPath(), $"masks-{Guid.NewGuid():n}.json");
        try
        {
            ImportanceScoresJson.Save(LearnedMaskScorer.ScoresOf(masks), path);
            using LlamaModel model = TinyLlama.Create(TinyMasks.Config(8, 4, false, "none"));
            using ServiceProvider services = Services(path).BuildServiceProvider();
            var pruner = services.GetRequiredService<LlamaPruner>();
            IImportanceScorer scorer = services.GetRequiredService<IComponentCatalog<IImportanceScorer>>().Resolve(LearnedMaskScorer.Name);
            LlamaShape target = masks.Layout.Target!, near = target with { HiddenSize = 12, Layers = target.Layers.Add(target.Layers[0]) };
            PruningPlan plan = pruner.CreatePlan(model, scorer, new TargetedWidthStrategy(), target);
            Assert.Equal(MaskFold.Plan(masks.Deterministic()).Layers.AsEnumerable(), plan.Layers);
            Assert.Equal(LearnedMaskScorer.Name, plan.Provenance!.Scorer);
            PruningPlan larger = pruner.CreatePlan(model, scorer, new TargetedWidthStrategy(), near);
            Assert.Equal(near, larger.Target);
            Assert.Subset(larger.Hidden.Indices.ToHashSet(), plan.Hidden.Indices.ToHashSet());
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Score_OtherModelOrAxisOrFile_IsRefusedByName()
    {
        using MaskState masks = State(8, 4, 4, 2, 3);   // groups keep their size: no query-heads mask
        var scorer = new LearnedMaskScorer(LearnedMaskScorer.ScoresOf(masks));
        using LlamaModel model = TinyLlama.Create(TinyMasks.Config(8, 4, false, "none")), other = TinyLlama.Create(TinyMasks.Config(4, 4, false, "none"));
        Assert.Contains("QueryHeads", Assert.Throws<ScoringException>(() => scorer.Score(new ScoringRequest(model, PruningAxes.QueryHeads, []))).Message, StringComparison.Ordinal);
        Assert.Contains("query heads of block 0", Assert.Throws<ScoringException>(() => scorer.Score(new ScoringRequest(other, PruningAxes.Hidden, []))).Message, StringComparison.Ordinal);
        Assert.Contains("absent.json", Assert.Throws<ScoringException>(() => new LearnedMaskScorer("absent.json").SupportedAxes).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Masks:Scores", " ", "Scores is empty")]
    [InlineData("Masks:Scroes", "a.json", "Scroes")]
    public async Task AddMasks_BadSection_HostDoesNotStart(string key, string value, string expected)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection([new(key, value)]);
        builder.Services.AddLlmShearing().AddMasks(builder.Configuration.GetSection("Masks"));
        using IHost host = builder.Build();
        Exception error = await Assert.ThrowsAnyAsync<Exception>(() => host.StartAsync());
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddMasks_SecondSection_IsRefused()
    {
        IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Masks:Scores", "a.json"), new("Other:Scores", "b.json")]).Build();
        LlmShearingBuilder builder = new ServiceCollection().AddLlmShearing().AddMasks(configuration.GetSection("Masks"));
        Assert.Contains("would be mixed with the section 'Other'", Assert.Throws<InvalidOperationException>(() => builder.AddMasks(configuration.GetSection("Other"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddMasks_Twice_RegistersOnce()
    {
        IServiceCollection services = Services("a.json");
        int count = services.Count(d => d.IsKeyedService);
        services.AddLlmShearing().AddMasks(o => o.Scores = "b.json");
        Assert.Equal(count, services.Count(d => d.IsKeyedService));
        Assert.Contains(LearnedMaskScorer.Name, services.BuildServiceProvider().GetRequiredService<IComponentCatalog<IImportanceScorer>>().Names);
    }

    private static MaskState State(int q, int kv, int targetQ, int targetKv, int seed)
    {
        LlamaShape source = TinyMasks.Config(q, kv, false, "none").Shape;
        return TinyMasks.State(source, TinyMasks.Target(source, targetQ, targetKv), seed);
    }

    private static ServiceCollection Services(string path)
    {
        var services = new ServiceCollection();
        services.AddLlmShearing().AddMasks(o => o.Scores = path);
        return services;
    }
}
