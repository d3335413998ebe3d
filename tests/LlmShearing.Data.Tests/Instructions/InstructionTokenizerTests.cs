using LlmShearing.Testing.Tokenizers;
using LlmShearing.Data.Instructions;
using LlmShearing.Data.Samples;
using LlmShearing.Testing;
using LlmShearing.Tokenizers;
using LlmShearing.Training.Steps;
using Xunit;

namespace LlmShearing.Data.Tests.Instructions;

/// <summary>What must hold for every template and tokenizer when records are tokenised piece by piece.</summary>
public class InstructionTokenizerTests
{
    private const string Spm = "hf/tokenizers/spm-bpe-small/tokenizer.model", Bpe = "eval/models/tiny-bpe512";

    private static readonly (string Question, string Answer)[] Exchanges =
    [
        ("Name a colour.", "Red."), ("Give a link.", "//example.org"), ("List", "- a\n- b"), ("Two lines", "\nx\n\ny"), ("Écris « été » 🙂", "été 🙂"), ("code", "  x + 1"), ("a\n\n", ")"),
    ];

    public static TheoryData<string, string> Combinations()
    {
        var all = new TheoryData<string, string>();
        foreach (InstructionTemplate template in InstructionTemplates.All)
            foreach (string tokenizer in new[] { Spm, Bpe })
                all.Add(template.Name, tokenizer);
        return all;
    }

    // The answer, with its end token, is learned to the last character and nothing else is; the ids before it are those after which a model generates.
    [Theory]
    [MemberData(nameof(Combinations))]
    public void Segments_OneAnswer_LearnsExactlyTheAnswer(string templateName, string tokenizerPath)
    {
        (ITokenizer tokenizer, InstructionTokenizer records, string end) = Create(templateName, tokenizerPath);
        foreach ((string question, string answer) in Exchanges)
        {
            var task = new InstructionTask(question, "", answer);
            TokenSample sample = records.Encode(task)!;
            int[] ids = sample.Ids.ToArray(), labels = sample.Labels.ToArray();
            int first = Array.FindIndex(labels, l => l != TrainingBatch.Ignored), after = Array.FindLastIndex(labels, l => l != TrainingBatch.Ignored) + 1;
            Assert.Equal(ids[first..after], labels[first..after]);
            Assert.Equal(records.EncodePrompt(task), ids[..first]);
            string prompt = Text(tokenizer, ids[..first]), whole = Text(tokenizer, ids[..after]);
            Assert.StartsWith(prompt, whole, StringComparison.Ordinal);
            string learned = whole[prompt.Length..];
            Assert.Contains(answer.Trim(), learned, StringComparison.Ordinal);
            Assert.EndsWith(end, learned, StringComparison.Ordinal);
            Assert.DoesNotContain(question.Trim(), learned, StringComparison.Ordinal);
            Assert.Equal(WithoutBegin(tokenizer, records.Render(task)).TrimEnd('\n'), WithoutBegin(tokenizer, Text(tokenizer, ids)).TrimEnd('\n'));
        }
    }

    [Theory]
    [InlineData("vicuna")]
    [InlineData("chatml")]
    [InlineData("llama-2")]
    [InlineData("llama-3")]
    [InlineData("zephyr")]
    public void Segments_SeveralAnswers_LearnsEachOfThem(string templateName)
    {
        (ITokenizer tokenizer, InstructionTokenizer records, _) = Create(templateName, Spm);
        var chat = new Conversation([
            new ChatMessage(ChatRole.System, "Be kind."), new ChatMessage(ChatRole.User, "one?"), new ChatMessage(ChatRole.Assistant, "first answer"),
            new ChatMessage(ChatRole.User, "two?"), new ChatMessage(ChatRole.Assistant, "second answer")]);
        TokenSample sample = records.Encode(chat)!;
        int[] learned = [.. sample.Labels.ToArray().Where(l => l != TrainingBatch.Ignored)], ignored = [.. sample.Ids.ToArray().Where((_, i) => sample.Labels.Span[i] == TrainingBatch.Ignored)];
        string answers = Text(tokenizer, learned), prompts = Text(tokenizer, ignored);
        foreach (string answer in new[] { "first answer", "second answer" })
        {
            Assert.Contains(answer, answers, StringComparison.Ordinal);
            Assert.DoesNotContain(answer, prompts, StringComparison.Ordinal);
        }

        foreach (string text in new[] { "Be kind.", "one?", "two?" })
        {
            Assert.Contains(text, prompts, StringComparison.Ordinal);
            Assert.DoesNotContain(text, answers, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("llama-2", "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nq [/INST] a </s><s>[INST] r [/INST] b </s>")]
    [InlineData("llama-3", "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nq<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\na<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nr<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nb<|eot_id|>")]
    [InlineData("zephyr", "<|system|>\nS</s>\n<|user|>\nq</s>\n<|assistant|>\na</s>\n<|user|>\nr</s>\n<|assistant|>\nb</s>\n")]
    [InlineData("chatml", "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n")]
    [InlineData("vicuna", "S USER: q ASSISTANT: a</s>USER: r ASSISTANT: b</s>")]
    public void Render_Conversation_IsTheTemplateByteForByte(string templateName, string expected)
    {
        var chat = new Conversation([
            new ChatMessage(ChatRole.System, "S"), new ChatMessage(ChatRole.User, "q"), new ChatMessage(ChatRole.Assistant, "a"), new ChatMessage(ChatRole.User, "r"), new ChatMessage(ChatRole.Assistant, "b")]);
        Assert.Equal(expected, Create(templateName, Spm).Records.Render(chat));
    }

    [Fact]
    public void Render_TaskOfInstructionAndInput_JoinsThemForChats() =>
        Assert.Equal("<|im_start|>user\ndo\n\nthis<|im_end|>\n<|im_start|>assistant\n", Create("chatml", Spm).Records.Render(new InstructionTask("do", "this", "x"), openAnswer: true));

    [Fact]
    public void EncodeAll_AnswerBeforeTheFirstQuestion_IsCountedWhereItIsLeftOut()
    {
        ChatMessage[] messages = [new ChatMessage(ChatRole.Assistant, "hello"), new ChatMessage(ChatRole.User, "q"), new ChatMessage(ChatRole.Assistant, "a")];
        InstructionRecord[] data = [new Conversation(messages), new Conversation(messages[1..]), new Conversation([new ChatMessage(ChatRole.System, "s"), .. messages])];
        Assert.Equal(2, Create("vicuna", Spm).Records.EncodeAll(data).MessagesLeftOut);
        Assert.Equal(0, Create("zephyr", Spm).Records.EncodeAll(data).MessagesLeftOut);
        Assert.Throws<TokenDataException>(() => Create("llama-2", Spm).Records.EncodeAll(data));
    }

    [Fact]
    public void EncodeAll_TooLongAndEmptyRecords_AreCounted()
    {
        InstructionRecord[] data = [new InstructionTask("a", "", "b"), new InstructionTask(new string('x', 4000), "", "b"), new Conversation([new ChatMessage(ChatRole.User, "only")]), new InstructionTask("a", "", new string('y', 4000))];
        (ITokenizer tokenizer, _, _) = Create("chatml", Spm);
        InstructionSamples cut = new InstructionTokenizer(tokenizer, InstructionTemplates.ChatMl, new() { MaxLength = 200, SpellMissingTokens = true }).EncodeAll(data);
        Assert.Equal((2, 4L, 2L, 0L, 2L), (cut.Samples.Count, cut.Records, cut.NothingLearned, cut.TooLong, cut.Truncated));
        Assert.Equal(200, cut.Samples[1].Length);
        InstructionSamples skipped = new InstructionTokenizer(tokenizer, InstructionTemplates.ChatMl, new() { MaxLength = 200, Truncation = TruncationPolicy.Skip, SpellMissingTokens = true }).EncodeAll(data);
        Assert.Equal((1, 4L, 1L, 2L, 2L), (skipped.Samples.Count, skipped.Records, skipped.NothingLearned, skipped.TooLong, skipped.Truncated));
        TokenDataException error = Assert.Throws<TokenDataException>(() => new InstructionTokenizer(tokenizer, InstructionTemplates.ChatMl, new() { SpellMissingTokens = true }).EncodeAll(data[2..3]));
        Assert.Contains("None of 1 records is left", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EncodeAll_Cancelled_Stops()
    {
        using var cancel = new CancellationTokenSource();
        cancel.Cancel();
        Assert.Throws<OperationCanceledException>(() => Create("alpaca", Spm).Records.EncodeAll([new InstructionTask("a", "", "b")], null, cancel.Token));
    }

    [Fact]
    public void LearnPrompts_LearnsEveryToken()
    {
        (ITokenizer tokenizer, _, _) = Create("alpaca", Spm);
        TokenSample sample = new InstructionTokenizer(tokenizer, InstructionTemplates.Alpaca, new() { LearnPrompts = true }).Encode(new InstructionTask("a", "", "b"))!;
        Assert.Equal(sample.Ids.ToArray(), sample.Labels.ToArray());
    }

    [Fact]
    public void Encode_RecordsThatDoNotFit_NameRecordAndTemplate()
    {
        var twoAnswers = new Conversation([new(ChatRole.User, "a"), new(ChatRole.Assistant, "b"), new(ChatRole.User, "c"), new(ChatRole.Assistant, "d")], "data.json record 7");
        Assert.Contains("data.json record 7: the template 'alpaca' knows one question and one answer", Refused("alpaca", twoAnswers), StringComparison.Ordinal);
        Assert.Contains("needs questions and answers in turn", Refused("llama-2", new Conversation([new(ChatRole.User, "a"), new(ChatRole.User, "b")])), StringComparison.Ordinal);
        Assert.Contains("needs at least one message", Refused("chatml", new Conversation([])), StringComparison.Ordinal);
        Assert.Contains("the input is empty", Refused("llm-shearing", new InstructionTask("", "", "x")), StringComparison.Ordinal);
        (ITokenizer tokenizer, _, _) = Create("vicuna", Spm);
        var whole = new InstructionTokenizer(tokenizer, InstructionTemplates.Vicuna, new() { Labels = LabelRule.PromptLength });
        Assert.Contains("knows one answer", Assert.Throws<TokenDataException>(() => whole.Encode(twoAnswers)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Create_BadOptions_AreErrors()
    {
        (ITokenizer tokenizer, _, _) = Create("alpaca", Spm);
        Assert.Contains("MaxLength is 1", Assert.Throws<TokenDataException>(() => new InstructionTokenizer(tokenizer, InstructionTemplates.Alpaca, new() { MaxLength = 1 })).Message, StringComparison.Ordinal);
        Assert.Contains("the template is 'alpaca'", Assert.Throws<TokenDataException>(() => new InstructionTokenizer(tokenizer, InstructionTemplates.Alpaca, new() { Labels = LabelRule.FastChat })).Message, StringComparison.Ordinal);
        Assert.Contains("no end token", Assert.Throws<TokenDataException>(() => new InstructionTokenizer(TestTokenizer.Load(TestTokenizer.Json()), InstructionTemplates.Alpaca)).Message, StringComparison.Ordinal);
        Assert.Contains("There are: alpaca, alpaca-lora", Assert.Throws<TokenDataException>(() => InstructionTemplates.Get("alpacca")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void PaddingToken_WithoutPadToken_SaysWhatServes()
    {
        (ITokenizer tokenizer, _, _) = Create("alpaca", Spm);
        PaddingToken pad = PaddingToken.Of(tokenizer);
        Assert.Equal(tokenizer.UnknownTokenId, pad.Id);
        Assert.Contains("unknown token serves", pad.Reason, StringComparison.Ordinal);
        Assert.Equal(pad.Id, PaddingToken.Of(tokenizer, pad.Id + 1).Id);
        Assert.Throws<TokenDataException>(() => PaddingToken.Of(TestTokenizer.Load(TestTokenizer.Json())));
    }

    private static string Refused(string template, InstructionRecord record) => Assert.Throws<TokenDataException>(() => Create(template, Spm).Records.Encode(record)).Message;

    [Theory]
    [InlineData("chatml", "<|im_start|>")]
    [InlineData("llama-3", "<|begin_of_text|>")]
    public void Encode_ControlTokenNotInTheVocabulary_IsRefusedByName(string template, string token)
    {
        var records = new InstructionTokenizer(TokenizerLoader.Load(Goldens.Path(Spm)), InstructionTemplates.Get(template));
        Assert.Contains(token, Assert.Throws<TokenDataException>(() => records.EncodeAll([new InstructionTask("a", "", "b")])).Message, StringComparison.Ordinal);
        Assert.Throws<TokenDataException>(() => records.EncodePrompt(new InstructionTask("a", "", "b")));
    }

    private static (ITokenizer Tokenizer, InstructionTokenizer Records, string End) Create(string template, string path)
    {
        ITokenizer tokenizer = TokenizerLoader.Load(Goldens.Path(path));
        string end = template switch { "chatml" or "smollm2" => "<|im_end|>", "llama-3" => "<|eot_id|>", _ => tokenizer.IdToToken(tokenizer.EosTokenId!.Value)! };
        return (tokenizer, new InstructionTokenizer(tokenizer, InstructionTemplates.Get(template), new() { MaxLength = 4096, SpellMissingTokens = true }), end);
    }

    private static string Text(ITokenizer tokenizer, int[] ids) => tokenizer.Decode(ids, skipSpecialTokens: false);

    private static string WithoutBegin(ITokenizer tokenizer, string text)
    {
        string begin = tokenizer.BosTokenId is int bos ? tokenizer.IdToToken(bos)! : "";
        return begin.Length > 0 && text.StartsWith(begin + " ", StringComparison.Ordinal) ? text[(begin.Length + 1)..] : begin.Length > 0 && text.StartsWith(begin, StringComparison.Ordinal) ? text[begin.Length..] : text;
    }
}
