using System.Text.Json.Nodes;
using LlmShearing.Data.Tests.Samples;
using LlmShearing.Data.Tests.Tokenizers;
using LlmShearing.Testing;
using LlmShearing.Tokenizers;
using Xunit;

namespace LlmShearing.Data.Tests.Instructions;

/// <summary>Ids and labels of the originals, token by token.</summary>
public class InstructionGoldenTests
{
    private const string Llama2 = "../data/tokenizers/llama2/tokenizer.model", Bpe512 = "eval/models/tiny-bpe512", SmolLm2 = "hf/tokenizers/smollm2";
    private const string Lora = "eval/packing/alpaca_lora.json", Sft = "eval/packing/shearing_sharegpt.json", Vicuna = "eval/packing/vicuna_sharegpt.json", Chat = "eval/packing/chat_template.json";

    [GoldenTheory("shearing/instruct", Llama2)]
    [InlineData("alpaca", "alpaca-512")]
    [InlineData("alpaca", "alpaca-96")]
    [InlineData("shearing-sft", "shearing-sft-512")]
    [InlineData("shearing-sft", "shearing-sft-96")]
    public void PromptLength_LlmShearing_IsItsIdsLabelsAndBatch(string file, string section)
    {
        JsonNode golden = JsonNode.Parse(File.ReadAllText(Goldens.Path($"shearing/instruct/{file}.json")))![section]!;
        InstructionTokenizer tokenizer = Tokenizer(
            ConvertedLlama2Tests.Load("new"), file == "alpaca" ? "alpaca" : "llm-shearing", LabelRule.PromptLength, (int)golden["model_max_length"]!);
        var samples = new List<TokenSample>();
        foreach (JsonNode? r in golden["records"]!.AsArray())
        {
            InstructionTask task = Task(r!["record"]!);
            Assert.Equal((string)r["text"]!, tokenizer.Render(task));
            Assert.Equal((string)r["prompt"]!, tokenizer.Render(task, openAnswer: true));
            (TokenSample sample, bool cut) = tokenizer.EncodeWhole(task);
            Assert.Equal(Json.Ints(r["input_ids"]), sample.Ids.ToArray());
            Assert.Equal(Json.Ints(r["labels"]), sample.Labels.ToArray());
            Assert.Equal((bool)r["truncated"]!, cut);
            Assert.Equal((int)r["supervised"]! == 0, tokenizer.Encode(task) is null);
            samples.Add(sample);
        }

        JsonNode collated = golden["collated"]!;
        TrainingBatch batch = SampleCollator.Padded([.. Json.Ints(collated["records"]).Select(i => samples[i])], new CollatorOptions { PadId = (int)golden["pad_id"]! });
        Assert.Equal(Json.Rows(collated["input_ids"]), Json.Rows(batch.Tokens.Ids, batch.Tokens.SequenceLength));
        Assert.Equal(Json.Rows(collated["labels"]), Json.Rows(batch.Labels, batch.Tokens.SequenceLength));
    }

    [GoldenFact(Lora, Bpe512)]
    public void PromptLength_LlmPrunerSmallTokenizer_IsItsIdsAndLabels() => CompareLora("tiny-bpe512", TokenizerLoader.Load(Goldens.Path(Bpe512)));

    [GoldenFact(Lora, Llama2)]
    public void PromptLength_LlmPrunerLlama2_IsItsIdsAndLabels() => CompareLora("llama2", ConvertedLlama2Tests.Load("legacy"));

    private static void CompareLora(string name, ITokenizer tokenizer)
    {
        JsonNode golden = JsonNode.Parse(File.ReadAllText(Goldens.Path(Lora)))!;
        InstructionTask[] tasks = [.. golden["examples"]!.AsArray().Select(e => Task(e!))];
        int compared = 0;
        foreach (JsonNode? row in golden["rows"]!.AsArray())
        {
            if ((string)row!["tokenizer"]! != name || row["examples"] is not JsonArray examples)
                continue;
            var records = new InstructionTokenizer(
                tokenizer,
                InstructionTemplates.Get((string)row["style"]! == "plain" ? "plain" : "alpaca-lora"),
                new InstructionTokenizerOptions
                {
                    MaxLength = (int)row["cutoff_len"]!,
                    Labels = LabelRule.PromptLength,
                    LearnPrompts = (bool)row["train_on_inputs"]!,
                    CountPromptWithEnd = (bool)row["add_eos_token"]!,
                });
            for (int i = 0; i < tasks.Length; i++)
            {
                JsonNode expected = examples[i]!;
                (TokenSample sample, _) = records.EncodeWhole(tasks[i]);
                Assert.Equal((string)expected["text"]!, string.Concat(records.Render(tasks[i]).SkipLast(tokenizer.IdToToken(tokenizer.EosTokenId!.Value)!.Length)));
                int[] ids = Json.Ints(expected["input_ids"]);
                Assert.Equal(ids, sample.Ids.ToArray());
                int first = (int?)expected["first_unmasked"] ?? ids.Length;
                Assert.Equal(ids.Select((id, t) => t < first ? TrainingBatch.Ignored : id), sample.Labels.ToArray());
                compared++;
            }
        }

        Assert.Equal(55, compared);
    }

    [GoldenFact(Sft, Llama2)]
    public void PromptLength_ShearingShareGpt_IsItsIdsAndLabels()
    {
        JsonNode golden = JsonNode.Parse(File.ReadAllText(Goldens.Path(Sft)))!;
        InstructionTask[] tasks = [.. golden["data"]!.AsArray().Select(e => Task(e!))];
        ITokenizer llama = ConvertedLlama2Tests.Load("legacy");
        foreach (JsonNode? row in golden["rows"]!.AsArray().Where(r => r!["examples"] is not null))
        {
            InstructionTokenizer tokenizer = Tokenizer(llama, "llm-shearing", LabelRule.PromptLength, (int)row!["model_max_length"]!);
            for (int i = 0; i < tasks.Length; i++)
            {
                (TokenSample sample, _) = tokenizer.EncodeWhole(tasks[i]);
                int[] ids = Json.Ints(row["examples"]![i]!["input_ids"]);
                int first = (int?)row["examples"]![i]!["first_unmasked"] ?? ids.Length;
                Assert.Equal(ids, sample.Ids.ToArray());
                Assert.Equal(ids.Select((id, t) => t < first ? TrainingBatch.Ignored : id), sample.Labels.ToArray());
            }
        }
    }

    [GoldenTheory(Vicuna, Llama2)]
    [InlineData("legacy=True", "legacy")]
    [InlineData("legacy=False", "new")]
    public void FastChat_Vicuna_IsItsTextIdsAndSpans(string tokenizerName, string form)
    {
        JsonNode golden = JsonNode.Parse(File.ReadAllText(Goldens.Path(Vicuna)))!;
        Conversation[] chats = [.. golden["conversations"]!.AsArray().Select(c => (Conversation)InstructionJson.Read(System.Text.Json.JsonSerializer.SerializeToElement(new JsonObject { ["conversations"] = c!.DeepClone() }), "x"))];
        ITokenizer llama = ConvertedLlama2Tests.Load(form);
        foreach (JsonNode? row in golden["rows"]!.AsArray().Where(r => ((string)r!["tokenizer"]!).EndsWith(tokenizerName, StringComparison.Ordinal)))
        {
            InstructionTokenizer tokenizer = Tokenizer(llama, "vicuna", LabelRule.FastChat, (int)row!["model_max_length"]!);
            for (int i = 0; i < chats.Length; i++)
            {
                JsonNode expected = row["conversations"]![i]!;
                (TokenSample sample, _) = tokenizer.EncodeWhole(chats[i]);
                Assert.Equal((string)golden["prompts"]![i]!, tokenizer.Render(chats[i]));
                Assert.Equal(Json.Ints(expected["input_ids"]), sample.Ids.ToArray());
                int[][] spans = Json.Rows(expected["unmasked_spans"]);
                Assert.Equal(sample.Ids.ToArray().Select((id, t) => spans.Any(s => t >= s[0] && t < s[1]) ? id : TrainingBatch.Ignored), sample.Labels.ToArray());
            }
        }
    }

    // The text as transformers renders it; piece by piece gives the ids of the whole text here, and exactly the answers are learned.
    [GoldenFact(Chat, SmolLm2)]
    public void Segments_ChatMl_IsTransformersTextAndIds()
    {
        InstructionTokenizer tokenizer = Tokenizer(TokenizerLoader.Load(Goldens.Path(SmolLm2)), "smollm2", LabelRule.Segments, 4096);
        foreach (JsonNode? c in JsonNode.Parse(File.ReadAllText(Goldens.Path(Chat)))!["cases"]!.AsArray())
        {
            var chat = (Conversation)InstructionJson.Read(System.Text.Json.JsonSerializer.SerializeToElement(new JsonObject { ["messages"] = c!["messages"]!.DeepClone() }), "x");
            Assert.Equal((string)c["text"]!, tokenizer.Render(chat));
            Assert.Equal((string)c["text_generation_prompt"]!, tokenizer.Render(chat with { Messages = [.. chat.Messages.SkipLast(1)] }, openAnswer: true));
            (TokenSample sample, _) = tokenizer.EncodeWhole(chat);
            Assert.Equal(Json.Ints(c["ids"]), sample.Ids.ToArray());
        }
    }

    private static InstructionTokenizer Tokenizer(ITokenizer tokenizer, string template, LabelRule labels, int maxLength) =>
        new(tokenizer, InstructionTemplates.Get(template), new InstructionTokenizerOptions { Labels = labels, MaxLength = maxLength });

    private static InstructionTask Task(JsonNode record) => new((string?)record["instruction"] ?? "", (string?)record["input"] ?? "", (string)record["output"]!);
}
