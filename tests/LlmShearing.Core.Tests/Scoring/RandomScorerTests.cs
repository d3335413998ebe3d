using LlmShearing.Scoring;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Scoring;

public sealed class RandomScorerTests
{
    private const PruningAxes All = PruningAxes.Width | PruningAxes.Attention | PruningAxes.Mlp | PruningAxes.Layers;

    [Fact]
    public void Score_AllAxes_DependsOnTheSeedOnly()
    {
        using LlamaModel one = TinyLlama.Create(seed: 1), other = TinyLlama.Create(seed: 2);
        string Scores(LlamaModel model, int seed)
        {
            using var stream = new MemoryStream();
            ImportanceScoresJson.Write(new RandomScorer().Score(new ScoringRequest(model, All, [], seed)), stream);
            return System.Text.Encoding.UTF8.GetString(stream.ToArray());
        }

        Assert.Equal(Scores(one, 3), Scores(other, 3));
        Assert.NotEqual(Scores(one, 3), Scores(one, 4));
    }

    [Fact]
    public void Score_ManyUnits_AreUniformAndUnequal()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(hidden: 64, intermediate: 2000));
        ImportanceScores scores = new RandomScorer().Score(new ScoringRequest(model, PruningAxes.Intermediate | PruningAxes.Hidden, [], 1));
        double[] all = [.. scores[PruningAxes.Intermediate].SelectMany(r => r)];
        Assert.Equal(6000, all.Distinct().Count());
        Assert.All(all, v => Assert.InRange(v, 0, 1));
        Assert.InRange(all.Average(), 0.5 - (4 * 0.2887 / Math.Sqrt(6000)), 0.5 + (4 * 0.2887 / Math.Sqrt(6000)));
        Assert.False(scores.Has(PruningAxes.Layers));
    }
}
