using LlmShearing.Scoring;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Scoring;

[Collection("tensor count")]
public sealed class ScorerLeakTests
{
    public static TheoryData<string> Names() => [ScorerNames.Magnitude, ScorerNames.Taylor, ScorerNames.BlockPerplexity, ScorerNames.BlockInfluence, ScorerNames.Angular, ScorerNames.GateTaylor];

    [Theory]
    [MemberData(nameof(Names))]
    public void Score_FinishedOrCancelled_LeavesNoTensors(string name)
    {
        using LlamaModel model = TinyLlama.Create();
        IImportanceScorer scorer = Create(name);
        LeakProbe.AssertNoGrowth(() => scorer.Score(new ScoringRequest(model, scorer.SupportedAxes, TestBatches.Mixed())));
        for (int at = 1; at < 6; at++)
            LeakProbe.AssertNoGrowth(() => Cancelled(scorer, model, at), mayThrow: true);
    }

    private static void Cancelled(IImportanceScorer scorer, LlamaModel model, int at)
    {
        using var stop = new CancellationTokenSource();
        scorer.Score(new ScoringRequest(model, scorer.SupportedAxes, TestBatches.Mixed()), new Inline(p => { if (p.Completed == at) stop.Cancel(); }), stop.Token);
    }

    public static IImportanceScorer Create(string name) => name switch
    {
        ScorerNames.Magnitude => new BlockMagnitudeScorer(),
        ScorerNames.Taylor => new BlockTaylorScorer(),
        ScorerNames.BlockPerplexity => new BlockPerplexityScorer(),
        ScorerNames.BlockInfluence => new BlockInfluenceScorer(),
        ScorerNames.Angular => new AngularDistanceScorer(),
        _ => new GateTaylorScorer(),
    };
}
