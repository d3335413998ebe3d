// Greedy generation with a cache against transformers' generate.
using System.Text.Json.Nodes;
using LlmShearing.Model;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Model;

public class GenerationGoldenTests
{
    /// <summary>Model and kind of each case that is there.</summary>
    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            if (Goldens.TryPath("hf/generation/meta.json") is { } path)
                foreach (JsonNode? c in JsonNode.Parse(File.ReadAllText(path))!["cases"]!.AsArray())
                    cases.Add(Path.GetFileName((string)c!["model"]!), (string)c["kind"]!);
            return cases;
        }
    }

    [GoldenTheory("hf/generation", "hf/models")]
    [MemberData(nameof(Cases))]
    public void Generate_Greedy_MatchesTransformers(string model, string kind)
    {
        using var golden = new GoldenTensors($"hf/generation/{model}.safetensors");
        using LlamaModel llama = LlamaModel.Load(Goldens.Path($"hf/models/{model}"));
        int[][] sequences = golden.Rows($"{kind}.sequences");
        int prompt = (int)golden.Shape($"{kind}.prompt_ids")[1], rows = sequences.Length, v = llama.Config.Shape.VocabSize;
        bool[] mask = [.. golden.Longs($"{kind}.attention_mask").Select(m => m == 1)];
        var batch = new TokenBatch(rows, prompt, golden.Ints($"{kind}.prompt_ids"), mask.All(m => m) ? null : mask);
        float[] expected = golden.Floats($"{kind}.logits_cached");

        int step = 0;
        foreach (GenerationStep s in LlamaGenerator.Generate(llama, batch, new SamplingOptions { MaxNewTokens = 32, StopIds = [], KeepLogits = true }))
        {
            for (int r = 0; r < rows; r++)
            {
                Assert.Equal(sequences[r][prompt + step], s.Ids[r]);
                Near.Equal(expected.AsSpan(((r * 32) + step) * v, v), s.Logits[r], 1e-4, 1e-4, $"row {r} step {step}");
            }

            step++;
        }

        Assert.Equal(32, step);
    }

    [GoldenTheory("hf/generation", "hf/models")]
    [MemberData(nameof(Cases))]
    public void Generate_StopIds_EndRowsLikeTransformers(string model, string kind)
    {
        using var golden = new GoldenTensors($"hf/generation/{model}.safetensors");
        using LlamaModel llama = LlamaModel.Load(Goldens.Path($"hf/models/{model}"));
        JsonNode meta = JsonNode.Parse(File.ReadAllText(Goldens.Path("hf/generation/meta.json")))!["cases"]!.AsArray()
            .First(c => c!["model"]!.GetValue<string>() == $"models/{model}" && c["kind"]!.GetValue<string>() == kind)!["eos_case"]!;
        JsonNode eos = meta["eos_token_id"]!;
        int[] stops = eos is JsonArray many ? [.. many.Select(e => e!.GetValue<int>())] : [eos.GetValue<int>()];
        int[][] sequences = golden.Rows($"{kind}.eos_sequences");
        int prompt = (int)golden.Shape($"{kind}.prompt_ids")[1], pad = meta["pad_token_id"]!.GetValue<int>();
        bool[] mask = [.. golden.Longs($"{kind}.attention_mask").Select(m => m == 1)];
        var batch = new TokenBatch(sequences.Length, prompt, golden.Ints($"{kind}.prompt_ids"), mask.All(m => m) ? null : mask);

        int[][] steps = [.. LlamaGenerator.Generate(llama, batch, new SamplingOptions { MaxNewTokens = 32, StopIds = stops }).Select(s => s.Ids)];
        Assert.Equal(sequences[0].Length - prompt, steps.Length);
        for (int r = 0; r < sequences.Length; r++)
            Assert.Equal(sequences[r][prompt..], steps.Select(s => s[r] < 0 ? pad : s[r]));
    }

    [SmolLm2Fact]
    public void Generate_ChatPromptsOfSmolLm2_GiveTheReferenceAnswers()
    {
        using LlamaModel llama = LlamaModel.Load(SmolLm2.Folder());
        JsonNode golden = JsonNode.Parse(File.ReadAllText(Goldens.Path("hf/generation/smollm2-chat.json")))!;
        foreach (JsonNode? c in golden["cases"]!.AsArray())
        {
            int[] Ints(JsonNode? list) => [.. list!.AsArray().Select(v => v!.GetValue<int>())];
            int[] prompt = Ints(c!["prompt_ids"]), expected = Ints(c["new_ids"]);
            var options = new SamplingOptions { MaxNewTokens = golden["max_new_tokens"]!.GetValue<int>(), StopIds = [golden["eos_token_id"]!.GetValue<int>()], KeepLogits = true };
            GenerationStep[] steps = [.. LlamaGenerator.Generate(llama, TokenBatch.FromRows([prompt]), options)];
            Assert.Equal(expected, steps.Select(s => s.Ids[0]));
            for (int i = 0; i < steps.Length; i++)
            {
                JsonNode best = c["top5_per_step"]![i]!;
                foreach ((int id, JsonNode? logit) in Ints(best["ids"]).Zip(best["logits"]!.AsArray()))
                    Near.Equal(logit!.GetValue<double>(), steps[i].Logits[0][id], 1e-3, 0, $"step {i}, id {id}");
            }
        }
    }
}
