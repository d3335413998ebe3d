// Held-out losses by domain, as the metrics of LLM-Shearing count them.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests;

public class DomainLossGoldenTests
{
    private const string Root = "shearing/masked-model";

    [GoldenTheory($"{Root}/model-b/metrics", $"{Root}/model-b/hf")]
    [InlineData("model-b", "eval")]
    [InlineData("model-b", "train")]
    public void Run_RowsByDomain_MatchesTheMetricsOfTheOriginal(string model, string kind)
    {
        using var tensors = new GoldenTensors($"{Root}/{model}/metrics/tensors.safetensors");
        JsonNode json = JsonNode.Parse(File.ReadAllText(Goldens.Path($"{Root}/{model}/metrics/case.json")))!;
        using LlamaModel llama = LlamaModel.Load(Goldens.Path($"{Root}/{model}/hf"));
        using var trainable = new FullModel(llama);
        string[] names = [.. json["set_names"]!.AsArray().Select(n => (string)n!)];
        EvaluationSet[] sets = [.. names.Select((name, i) => new EvaluationSet(name, Rows(tensors, kind, (int)json["number_of_batches"]!, i)))];
        EvaluationLosses losses = TrainingEvaluator.Run(trainable, [.. sets.Where(s => s.Batches.Any())], 0, 0, (_, _) => { }, default);

        JsonNode expected = json[kind]!;
        Near.Equal((double)expected["LanguageCrossEntropy"]!, losses.Loss, 5e-6, what: "all");
        Near.Equal((double)expected["Perplexity"]!, Math.Exp(losses.Loss), 0, 1e-5, what: "perplexity");
        foreach (EvaluationSet set in sets)
        {
            JsonNode value = expected[$"{set.Name}_LanguageCrossEntropy"]!;
            if (set.Batches.Any())
                Near.Equal((double)value, losses.Sets[set.Name], 5e-6, what: set.Name);
            else
                Assert.Equal("NaN", (string)value!);
        }

        // Where the original logs NaN for a domain without tokens, a set without any is refused.
        TrainingException error = Assert.Throws<TrainingException>(() => TrainingEvaluator.Run(trainable, [sets.Single(s => !s.Batches.Any())], 0, 0, (_, _) => { }, default));
        Assert.Contains("has no token to score", error.Message, StringComparison.Ordinal);
    }

    private static List<TrainingBatch> Rows(GoldenTensors tensors, string kind, int batches, int domain)
    {
        var rows = new List<TrainingBatch>();
        for (int b = 0; b < batches; b++)
        {
            int[] sets = tensors.Ints($"{kind}.{b}.set");
            int[][] ids = tensors.Rows($"{kind}.{b}.input_ids"), labels = tensors.Rows($"{kind}.{b}.labels");
            int[] chosen = [.. Enumerable.Range(0, sets.Length).Where(r => sets[r] == domain)];
            if (chosen.Length > 0)
                rows.Add(new TrainingBatch(TokenBatch.FromRows([.. chosen.Select(r => ids[r])]), [.. chosen.SelectMany(r => labels[r])]));
        }

        return rows;
    }
}
