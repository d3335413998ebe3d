// A state that lacks a member is no state: nothing is taken to be null that never is.
using System.Text;
using System.Text.Json.Nodes;
using LlmShearing.Training.Runs;

namespace LlmShearing.Training.Tests;

public class TrainingStateTests
{
    [Fact]
    public void FromJson_AMemberIsMissing_IsNamed()
    {
        JsonObject whole = State();
        Assert.Equal(3, TrainingState.FromJson(Bytes(whole)).Step);
        foreach (string path in whole.Select(m => m.Key).Where(k => k != "proportions").Concat(["evaluation.sets", "evaluation.loss", "best.tokens", "best.step"]))
        {
            JsonObject damaged = State();
            string[] names = path.Split('.');
            (names.Length == 1 ? damaged : damaged[names[0]]!.AsObject()).Remove(names[^1]);
            Assert.Contains(names[^1], Assert.Throws<FormatException>(() => TrainingState.FromJson(Bytes(damaged))).Message, StringComparison.Ordinal);
        }
    }

    private static byte[] Bytes(JsonObject state) => Encoding.UTF8.GetBytes(state.ToJsonString());

    private static JsonObject State()
    {
        var losses = new EvaluationLosses(2, 1.5, new Dictionary<string, double> { ["web"] = 1.5 }, 100);
        var state = new TrainingState
        {
            Format = TrainingState.CurrentFormat, Library = "1", Step = 3, Tokens = 10, ScoredTokens = 9, SkippedSteps = 0, ConsecutiveSkips = 0, Loss = 2.5, Evaluation = losses, Best = losses,
            EvaluationsWithoutGain = 0, ElapsedSeconds = 1.5, OptimizerSteps = new Dictionary<string, long> { ["w"] = 3 }, Proportions = new Dictionary<string, double> { ["web"] = 1 },
            Data = new JsonObject { ["place"] = 5 }, Configuration = new JsonObject { ["seed"] = 1 },
        };
        return JsonNode.Parse(state.ToJson())!.AsObject();
    }
}
