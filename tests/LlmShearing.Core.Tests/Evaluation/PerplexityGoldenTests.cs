using System.Text.Json;
using LlmShearing.Evaluation;
using LlmShearing.Execution;
using LlmShearing.Testing;
using TorchSharp;

namespace LlmShearing.Core.Tests.Evaluation;

/// <summary>Published protocols against numbers of the papers' own code (goldens eval/ppl).</summary>
public sealed class PerplexityGoldenTests
{
    private const string Tiny = "eval/ppl/tiny-bpe512";
    private const string TinyModel = "eval/models/tiny-bpe512";
    private const double PerToken = 1e-4, Relative = 1e-5;

    public static TheoryData<string> Blocks(string folder)
    {
        var data = new TheoryData<string>();
        foreach (string name in CaseNames(folder))
            data.Add(name);
        return data;
    }

    internal static string[] CaseNames(string folder) => Goldens.TryPath(folder + "/block.json") is { } path
        ? [.. JsonDocument.Parse(File.ReadAllText(path)).RootElement.GetProperty("cases").EnumerateArray().Select(c => c.GetProperty("case").GetString()!)]
        : [];

    [GoldenTheory(Tiny, TinyModel)]
    [MemberData(nameof(Blocks), Tiny)]
    public void Evaluate_PublishedProtocol_GivesThePublishedNumbers(string name)
    {
        using LlamaModel model = LlamaModel.Load(Goldens.Path(TinyModel));
        Check(model, Tiny, name);
    }

    [GoldenTheory(Tiny, TinyModel)]
    [InlineData("wikitext2-flap-128")]
    [InlineData("strided-192-50")]
    [InlineData("ptb-shortened-bosevery-128")]
    public void Evaluate_StreamedFromDisk_GivesThePublishedNumbers(string name)
    {
        using StreamedLlama model = StreamedLlama.Open(Goldens.Path(TinyModel));
        Check(model, Tiny, name);
    }

    [GoldenTheory(Tiny, TinyModel)]
    [InlineData("wikitext")]
    [InlineData("c4")]
    public void TokenLosses_RollingWindows_GiveTheHarnessLogLikelihoods(string task)
    {
        using LlamaModel model = LlamaModel.Load(Goldens.Path(TinyModel));
        CheckRolling(model, Tiny, task);
    }

    internal static void Check(ILlamaSource model, string folder, string name, double perToken = PerToken)
    {
        JsonElement expected = JsonDocument.Parse(File.ReadAllText(Goldens.Path(folder + "/block.json"))).RootElement.GetProperty("cases")
            .EnumerateArray().Single(c => c.GetProperty("case").GetString() == name);
        using var tensors = new GoldenTensors(folder + "/windows.safetensors");
        (PerplexityProtocol protocol, int[] stream) = Case(name, tensors, model.Config.BosTokenId);

        PerplexityWindows windows = WindowBuilder.Build([stream], protocol, model.Config.Shape.VocabSize, model.Config.BosTokenId);
        if (tensors.Has(name + "/windows"))
            Assert.Equal(tensors.Rows(name + "/windows").SelectMany(r => r), windows.Windows.SelectMany(w => w.Ids));
        IReadOnlyList<float[]> losses = new PerplexityEvaluator().TokenLosses(model, windows.Windows);
        float[] reference = tensors.Floats(name + "/nll"), actual = [.. losses.SelectMany(l => l)];
        Near.Equal(reference, actual, perToken, what: name);
        double[] differences = [.. reference.Zip(actual, (e, a) => Math.Abs((double)e - a))];
        Assert.InRange(differences.Average(), 0, PerToken / 4);
        int beyond = differences.Count(d => d > PerToken);
        Assert.True(beyond <= differences.Length / 1000, $"{name}: {beyond} of {differences.Length} tokens differ by more than {PerToken}");
        PerplexityResult result = PerplexityResult.From(windows.Windows, losses, protocol);
        Near.Equal(expected.GetProperty("ppl").GetDouble(), result.Perplexity, 0, Relative, name);
        if (expected.TryGetProperty("tokens_scored", out JsonElement scored))
            Assert.Equal((scored.GetInt64(), expected.GetProperty("n_windows").GetInt32()), (result.Tokens, result.Windows));
    }

    internal static void CheckRolling(ILlamaSource model, string folder, string task, int limit = int.MaxValue)
    {
        JsonElement[] pages = [.. JsonDocument.Parse(File.ReadAllText(Goldens.Path($"{folder}/rolling-{task}.json"))).RootElement.GetProperty("docs").EnumerateArray()];
        using var tensors = new GoldenTensors(folder + "/windows.safetensors");
        int[][] contexts = tensors.Ragged($"rolling-{task}/context"), predicted = tensors.Ragged($"rolling-{task}/predicted");
        PerplexityWindow[] windows =
        [
            .. contexts.Select((context, i) => new PerplexityWindow([.. context, .. predicted[i]], context.Length, i, 0)).Take(limit),
        ];
        IReadOnlyList<float[]> losses = new PerplexityEvaluator().TokenLosses(model, windows);
        int w = 0;
        foreach (JsonElement window in pages.SelectMany(p => p.GetProperty("windows").EnumerateArray()).Take(limit))
        {
            Near.Equal(window.GetProperty("ll").GetDouble(), -losses[w].Sum(l => (double)l), 1e-4 + (5e-5 * losses[w].Length), what: $"{task} window {w}");
            w++;
        }

        Assert.Equal(windows.Length, w);
    }

    // The stream is put together again from the stored windows; what lies behind the last window is not stored.
    private static (PerplexityProtocol Protocol, int[] Stream) Case(string name, GoldenTensors tensors, int? bos)
    {
        string[] parts = name.Split('-');
        int length = int.Parse(parts[^1]);
        if (parts[0] == "strided")
            return (PerplexityProtocol.Preset("strided", int.Parse(parts[1]), length), tensors.Ints("strided/stream"));
        int[][] windows = tensors.Rows(name + "/windows");
        switch (parts[^2])
        {
            case "llmpruner":
                return (PerplexityProtocol.Preset("llm-pruner", length), [.. windows.SelectMany(w => w)]);
            case "flap":
                return (PerplexityProtocol.Preset("flap", length), [.. windows.SelectMany(w => w)]);
            case "bosfirst":
                Assert.Equal(bos, windows[0][0]);
                return (PerplexityProtocol.Preset("shortened-llama", length), [.. windows.SelectMany(w => w).Skip(1)]);
            case "bosevery":
                return (PerplexityProtocol.Preset("shortened-llama-bos", length), [.. windows.SelectMany(w => w.Skip(1))]);
            default:
                throw new InvalidDataException($"Unknown case {name}.");
        }
    }
}
