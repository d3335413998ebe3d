// Ids and labels of the originals, token by token, for every case that the goldens hold.
using System.Text.Json.Nodes;
using LlmShearing.Data.Instructions;
using LlmShearing.Data.Samples;
using LlmShearing.Data.Tests.Samples;
using LlmShearing.Testing;
using LlmShearing.Testing.Tokenizers;
using LlmShearing.Tokenizers;
using LlmShearing.Training.Steps;
using Xunit;

namespace LlmShearing.Data.Tests.Instructions;

/// <summary>Ids and labels of the originals, token by token.</summary>
public class InstructionGoldenTests
{
    private const string Llama2 = "../data/tokenizers/llama2/tokenizer.model", Bpe512 = "eval/models/tiny-bpe512", SmolLm2 = "hf/tokenizers/smollm2";
    private const string Instruct = "shearing/instruct", Packing = "eval/packing";

    public static TheoryData<string, string> Sections => GoldenCases.In(Instruct, json => json.Where(s => s.Value is JsonObject o && o["records"] is not null).Select(s => s.Key));

    public static TheoryData<string, string> LoraRows => GoldenCases.In(Packing, json => IsLora(json) ? json["rows"] : null, r => r["examples"] is not null && !IsLlama2(r));

    public static TheoryData<string, string> LoraLlama2Rows => GoldenCases.In(Packing, json => IsLora(json) ? json["rows"] : null, r => r["examples"] is not null && IsLlama2(r));

    public static TheoryData<string, string> SftRows => GoldenCases.In(Packing, json => IsSft(json) ? json["rows"] : null, r => r["examples"] is not null);

    public static TheoryData<string, string> VicunaRows => GoldenCases.In(Packing, json => IsVicuna(json) ? json["rows"] : null);

    public static TheoryData<string, string> Chats => GoldenCases.In(Packing, json => IsChat(json) ? json["cases"] : null);

    [GoldenFact(Packing)]
    public void EveryFile_IsOfAKindThatIsTested()
    {
        // Those of TRL are the packing's and the completion labels' own tests.
        Assert.All(GoldenCases.Files(Packing), f => Assert.True(
            new[] { IsLora(f.Json), IsSft(f.Json), IsVicuna(f.Json), IsChat(f.Json), f.Json["trl"] is not null }.Count(k => k) == 1, f.File + " is of no kind that a test reads"));
        Assert.All(GoldenCases.Files(Instruct), f => Assert.Contains(Sections, s => (string)s[0] == f.File));
    }

    [GoldenTheory(Instruct, Llama2)]
    [MemberData(nameof(Sections))]
    public void PromptLength_LlmShearing_IsItsIdsLabelsAndBatch(string file, string section)
    {
        JsonNode golden = GoldenCases.Read(file)[section]!;
        string template = golden["template"]!["prompt_no_input"] is null ? "llm-shearing" : "alpaca";
        InstructionTokenizer tokenizer = Tokenizer(ConvertedLlama2.Load("new"), template, LabelRule.PromptLength, (int)golden["model_max_length"]!);
        var samples = new List<TokenSample>();
        foreach (JsonNode? r in golden["records"]!.AsArray())
        {
            InstructionTask task = Task(r!["record"]!);
            Assert.Equal((string)r["text"]!, tokenizer.Render(task));
            Assert.Equal((string)r["prompt"]!, tokenizer.Render(task, openAnswer: true));
            (TokenSample sample, bool cut) = tokenizer.EncodeWhole(task);
            Assert.Equal(TestJson.Ints(r["input_ids"]), sample.Ids.ToArray());
            Assert.Equal(TestJson.Ints(r["labels"]), sample.Labels.ToArray());
            Assert.Equal((bool)r["truncated"]!, cut);
            Assert.Equal((int)r["supervised"]! == 0, tokenizer.Encode(task) is null);
            samples.Add(sample);
        }

        JsonNode collated = golden["collated"]!;
        TrainingBatch batch = SampleCollator.Padded([.. TestJson.Ints(collated["records"]).Select(i => samples[i])], new CollatorOptions { PadId = (int)golden["pad_id"]! });
        Assert.Equal(TestJson.Rows(collated["input_ids"]), TestJson.Rows(batch.Tokens.Ids, batch.Tokens.SequenceLength));
        Assert.Equal(TestJson.Rows(collated["labels"]), TestJson.Rows(batch.Labels, batch.Tokens.SequenceLength));
    }

    [GoldenTheory(Packing, Bpe512)]
    [MemberData(nameof(LoraRows))]
    public void PromptLength_LlmPruner_IsItsIdsAndLabels(string file, string row)
    {
        JsonNode golden = GoldenCases.Read(file);
        CompareLora(golden, golden["rows"].At(row), TokenizerLoader.Load(Goldens.Path($"eval/models/{golden["rows"].At(row)["tokenizer"]}")));
    }

    [GoldenTheory(Packing, Llama2)]
    [MemberData(nameof(LoraLlama2Rows))]
    public void PromptLength_LlmPrunerLlama2_IsItsIdsAndLabels(string file, string row)
    {
        JsonNode golden = GoldenCases.Read(file);
        CompareLora(golden, golden["rows"].At(row), ConvertedLlama2.Load("legacy"));
    }

    private static void CompareLora(JsonNode golden, JsonNode row, ITokenizer tokenizer)
    {
        InstructionTask[] tasks = Tasks(golden["examples"]);
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
        string end = tokenizer.IdToToken(tokenizer.EosTokenId!.Value)!;
        JsonArray examples = Examples(row, tasks);
        for (int i = 0; i < tasks.Length; i++)
        {
            Assert.Equal((string)examples[i]!["text"]!, string.Concat(records.Render(tasks[i]).SkipLast(end.Length)));
            CompareSample(examples[i]!, records.EncodeWhole(tasks[i]).Sample);
        }
    }

    [GoldenTheory(Packing, Llama2)]
    [MemberData(nameof(SftRows))]
    public void PromptLength_ShearingShareGpt_IsItsIdsAndLabels(string file, string row)
    {
        JsonNode golden = GoldenCases.Read(file), expected = golden["rows"].At(row);
        InstructionTask[] tasks = Tasks(golden["data"]);
        InstructionTokenizer tokenizer = Tokenizer(ConvertedLlama2.Load("legacy"), "llm-shearing", LabelRule.PromptLength, (int)expected["model_max_length"]!);
        JsonArray examples = Examples(expected, tasks);
        for (int i = 0; i < tasks.Length; i++)
            CompareSample(examples[i]!, tokenizer.EncodeWhole(tasks[i]).Sample);
    }

    [GoldenTheory(Packing, Llama2)]
    [MemberData(nameof(VicunaRows))]
    public void FastChat_Vicuna_IsItsTextIdsAndSpans(string file, string row)
    {
        JsonNode golden = GoldenCases.Read(file), expected = golden["rows"].At(row);
        Conversation[] chats = [.. golden["conversations"]!.AsArray().Select(c => Chat("conversations", c!))];
        ITokenizer llama = ConvertedLlama2.Load(((string)expected["tokenizer"]!).EndsWith("legacy=True", StringComparison.Ordinal) ? "legacy" : "new");
        InstructionTokenizer tokenizer = Tokenizer(llama, "vicuna", LabelRule.FastChat, (int)expected["model_max_length"]!);
        Assert.Equal(chats.Length, expected["conversations"]!.AsArray().Count);
        for (int i = 0; i < chats.Length; i++)
        {
            JsonNode conversation = expected["conversations"]![i]!;
            (TokenSample sample, _) = tokenizer.EncodeWhole(chats[i]);
            Assert.Equal((string)golden["prompts"]![i]!, tokenizer.Render(chats[i]));
            Assert.Equal(TestJson.Ints(conversation["input_ids"]), sample.Ids.ToArray());
            int[][] spans = TestJson.Rows(conversation["unmasked_spans"]);
            Assert.Equal(sample.Ids.ToArray().Select((id, t) => spans.Any(s => t >= s[0] && t < s[1]) ? id : TrainingBatch.Ignored), sample.Labels.ToArray());
        }
    }

    // The text as transformers renders it; piece by piece gives the ids of the whole text here, and exactly the answers are learned.
    [GoldenTheory(Packing, SmolLm2)]
    [MemberData(nameof(Chats))]
    public void Segments_ChatMl_IsTransformersTextAndIds(string file, string number)
    {
        JsonNode expected = GoldenCases.Read(file)["cases"].At(number);
        InstructionTokenizer tokenizer = Tokenizer(TokenizerLoader.Load(Goldens.Path(SmolLm2)), "smollm2", LabelRule.Segments, 4096);
        Conversation chat = Chat("messages", expected["messages"]!);
        Assert.Equal((string)expected["text"]!, tokenizer.Render(chat));
        Assert.Equal((string)expected["text_generation_prompt"]!, tokenizer.Render(chat with { Messages = [.. chat.Messages.SkipLast(1)] }, openAnswer: true));
        (TokenSample sample, _) = tokenizer.EncodeWhole(chat);
        Assert.Equal(TestJson.Ints(expected["ids"]), sample.Ids.ToArray());
    }

    private static void CompareSample(JsonNode expected, TokenSample sample)
    {
        int[] ids = TestJson.Ints(expected["input_ids"]);
        Assert.Equal(ids, sample.Ids.ToArray());
        int first = (int?)expected["first_unmasked"] ?? ids.Length;
        Assert.Equal(ids.Select((id, t) => t < first ? TrainingBatch.Ignored : id), sample.Labels.ToArray());
    }

    private static JsonArray Examples(JsonNode row, InstructionTask[] tasks)
    {
        JsonArray examples = row["examples"]!.AsArray();
        Assert.NotEmpty(tasks);
        Assert.Equal(tasks.Length, examples.Count);
        return examples;
    }

    private static bool IsLora(JsonObject json) => json["examples"] is not null && json["rows"] is JsonArray rows && rows.All(r => r!["cutoff_len"] is not null);

    private static bool IsLlama2(JsonNode row) => (string)row["tokenizer"]! == "llama2";

    private static bool IsSft(JsonObject json) => json["prompt_template"] is not null && json["data"] is not null;

    private static bool IsVicuna(JsonObject json) => json["conversations"] is not null && json["prompts"] is not null;

    private static bool IsChat(JsonObject json) => json["chat_template"] is not null && json["cases"] is not null;

    private static Conversation Chat(string member, JsonNode messages) =>
        (Conversation)InstructionJson.Read(System.Text.Json.JsonSerializer.SerializeToElement(new JsonObject { [member] = messages.DeepClone() }), "x");

    private static InstructionTask[] Tasks(JsonNode? records) => [.. records!.AsArray().Select(e => Task(e!))];

    private static InstructionTokenizer Tokenizer(ITokenizer tokenizer, string template, LabelRule labels, int maxLength) =>
        new(tokenizer, InstructionTemplates.Get(template), new InstructionTokenizerOptions { Labels = labels, MaxLength = maxLength });

    private static InstructionTask Task(JsonNode record) => new((string?)record["instruction"] ?? "", (string?)record["input"] ?? "", (string)record["output"]!);
}
