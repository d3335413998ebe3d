// Every criterion on a folder that is streamed block by block gives what it gives on the resident model.
using LlmShearing.Execution;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Scoring;

public sealed class StreamedScorerTests
{
    public static TheoryData<string> Names() => ScorerLeakTests.Names();

    [Theory]
    [MemberData(nameof(Names))]
    public void Score_StreamedFolder_EqualsTheResidentModel(string name)
    {
        foreach (string model in new[] { "mha12", "gqa10" })
        {
            IImportanceScorer scorer = ScorerLeakTests.Create(name);
            using StreamedLlama streamed = StreamedLlama.Open(Goldens.Path($"baselines/models/{model}"));
            ImportanceScores expected = scorer.Score(new ScoringRequest(ScoringGoldens.Model(model), scorer.SupportedAxes, TestBatches.Mixed()));
            ImportanceScores actual = scorer.Score(new ScoringRequest(streamed, scorer.SupportedAxes, TestBatches.Mixed()));
            foreach (PruningAxes axis in Enum.GetValues<PruningAxes>().Where(expected.Has))
                for (int row = 0; row < expected[axis].Length; row++)
                    ScoringGoldens.Near([.. expected[axis][row]], actual[axis][row], 1e-7, 1e-5, $"{model} {axis} {row}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Score_StreamedFolderCancelled_CanBeUsedAgain(string name)
    {
        IImportanceScorer scorer = ScorerLeakTests.Create(name);
        using StreamedLlama streamed = StreamedLlama.Open(Goldens.Path("baselines/models/gqa10"));
        double[] before = [.. scorer.Score(new ScoringRequest(streamed, PruningAxes.Layers, TestBatches.Full())).Layers];
        using var stop = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            scorer.Score(new ScoringRequest(streamed, PruningAxes.Layers, TestBatches.Full()), new Inline(p => { if (p.Completed == 4) stop.Cancel(); }), stop.Token));
        Assert.Equal(before, scorer.Score(new ScoringRequest(streamed, PruningAxes.Layers, TestBatches.Full())).Layers.ToArray());
    }
}
