using System.Text;
using LlmShearing.Data.Instructions;
using Xunit;

namespace LlmShearing.Data.Tests.Instructions;

public sealed class InstructionFileTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"instructions-{Guid.NewGuid():n}.json");

    public void Dispose() => File.Delete(_path);

    [Theory]
    [InlineData("[{0}, {1}]")]
    [InlineData("  [\n{0},\n{1}\n]\n")]
    [InlineData("\uFEFF[{0},{1}]")]
    [InlineData("{0}\n{1}")]
    [InlineData("\n{0}\r\n\n{1}\n")]
    public void Read_ArrayOrLines_GivesTheRecords(string layout)
    {
        InstructionRecord[] records = Read(layout
            .Replace("{0}", """{"instruction": "do", "input": "x", "output": "é\n"}""", StringComparison.Ordinal)
            .Replace("{1}", """{"input": "q", "output": "a", "id": 3}""", StringComparison.Ordinal));
        Assert.Equal([("do", "x", "é\n"), ("", "q", "a")], records.Cast<InstructionTask>().Select(t => (t.Instruction, t.Input, t.Output)));
        Assert.Matches(@"^instructions-.*\.json (record [01]|line [1-4])$", records[1].Source);
    }

    [Fact]
    public void Read_OtherForms_AreUnderstood()
    {
        InstructionRecord[] records = Read("""
            {"instruction": "do", "response": "r"}
            {"instruction": "do", "input": null, "output": "r"}
            {"id": "x", "conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
            """);
        Assert.Equal(new InstructionTask("do", "", "r", records[0].Source), records[0]);
        Assert.Equal(new InstructionTask("do", "", "r", records[1].Source), records[1]);
        Assert.Equal([new(ChatRole.System, "s"), new(ChatRole.User, "q"), new ChatMessage(ChatRole.Assistant, "a")], ((Conversation)records[2]).Messages);
        Assert.Equal([new(ChatRole.User, "q"), new ChatMessage(ChatRole.Assistant, "a")], ((Conversation)records[3]).Messages);
    }

    [Fact]
    public void Read_WhatStandsBesideTheTexts_IsKept()
    {
        InstructionRecord[] records = Read("""
            {"instruction": "q2", "input": "x", "output": "a2", "system": "s", "history": [["q1", "a1"]]}
            {"instruction": "q", "output": "a", "system": "", "history": [], "tools": "[]"}
            {"system": "s", "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}
            {"instruction": "q", "context": "c", "response": "a"}
            """);
        ChatMessage[] turn = [new(ChatRole.User, "q"), new(ChatRole.Assistant, "a")];
        Assert.Equal([new(ChatRole.System, "s"), new(ChatRole.User, "q1"), new(ChatRole.Assistant, "a1"), new(ChatRole.User, "q2\n\nx"), new ChatMessage(ChatRole.Assistant, "a2")], ((Conversation)records[0]).Messages);
        Assert.Equal(new InstructionTask("q", "", "a", records[1].Source), records[1]);
        Assert.Equal([new(ChatRole.System, "s"), .. turn], ((Conversation)records[2]).Messages);
        Assert.Equal(new InstructionTask("q", "c", "a", records[3].Source), records[3]);
    }

    [Fact]
    public void Read_Turns_AreInEveryTemplateOrRefused()
    {
        InstructionRecord record = Read("""{"instruction": "q-two", "output": "a-two", "system": "s-zero", "history": [["q-one", "a-one"]]}""")[0];
        foreach (InstructionTemplate template in InstructionTemplates.All)
        {
            string text;
            try
            {
                text = string.Concat(template.Render(record, new TemplateTokens("<s>", "</s>")).Select(p => p.Text));
            }
            catch (TokenDataException e)
            {
                Assert.Contains(template.Name, e.Message, StringComparison.Ordinal);
                continue;
            }

            foreach (string part in new[] { "s-zero", "q-one", "a-one", "q-two", "a-two" })
                Assert.Contains(part, text, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("""{"instruction": "q", "output": "a", "history": [["q"]]}""", "history[0] is a list of 1")]
    [InlineData("""{"instruction": "q", "output": "a", "history": "x"}""", "history is a text")]
    [InlineData("""{"instruction": "q", "output": "a", "history": [["q", 1]]}""", "expected a question and its answer")]
    [InlineData("""{"instruction": "q", "output": "a", "system": 3}""", "system is a number")]
    [InlineData("""{"instruction": "q", "input": "i", "context": "c", "response": "a"}""", "both input and context")]
    [InlineData("""{"tools": "[{}]", "conversations": [{"from": "human", "value": "q"}]}""", "has tools")]
    [InlineData("""{"system": "s", "messages": [{"role": "system", "content": "t"}]}""", "beside another one")]
    [InlineData("""{"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "x"}]}]}""", "messages[0] has tool_calls")]
    [InlineData("""{"messages": [{"role": "assistant", "content": "a", "weight": 0}]}""", "not to be learned")]
    [InlineData("""{"instruction": "q", "output": "a", "images": ["x.png"]}""", "has images")]
    [InlineData("""{"instruction": "q", "output": "a", "response": "b"}""", "an output and another response")]
    public void Read_WhatWouldBeLost_IsRefused(string content, string message) =>
        Assert.Contains(message, Assert.Throws<TokenDataException>(() => Read(content)).Message, StringComparison.Ordinal);

    [Fact]
    public void Read_TheSameAnswerTwiceOrNaNBesideIt_IsOneAnswer()
    {
        InstructionRecord[] records = Read("""
            {"instruction": "q", "output": "a", "response": "a"}
            {"instruction": "q", "output": "", "response": "a", "score": NaN}
            """);
        Assert.All(records, r => Assert.Equal(("q", "a"), (((InstructionTask)r).Instruction, ((InstructionTask)r).Output)));
    }

    [Theory]
    [InlineData("[{0}]")]
    [InlineData("{0}\n")]
    public void Read_Compressed_IsTheSame(string layout)
    {
        string path = _path + ".gz";
        try
        {
            using (var packed = new System.IO.Compression.GZipStream(File.Create(path), System.IO.Compression.CompressionLevel.Fastest))
                packed.Write(Encoding.UTF8.GetBytes(layout.Replace("{0}", """{"instruction": "do", "output": "a"}""", StringComparison.Ordinal)));
            Assert.Equal("a", ((InstructionTask)InstructionFile.Read(path).Single()).Output);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("""[{"instruction": "a", "output": "b"}, {"instruction": "a"}]""", "record 1 has the keys instruction; expected")]
    [InlineData("""[3]""", "record 0 is a number; expected an object")]
    [InlineData("""{"instruction": 3, "output": "b"}""", "line 1: instruction is a number; expected a text")]
    [InlineData("""{"messages": []}""", "line 1: messages is a list of 0; expected a list of messages")]
    [InlineData("""{"messages": [{"role": "user"}]}""", "line 1, messages[0] has no content")]
    [InlineData("""{"messages": ["x"]}""", "line 1, messages[0] is a text; expected an object")]
    [InlineData("""{"conversations": [{"from": "bard", "value": "x"}]}""", "conversations[0]: from is 'bard'; known are")]
    [InlineData("""{"input": "a", "output": "\ud800"}""", "'output': the text is broken")]
    [InlineData("{\"input\": \"a\", \"output\": \"b\"}\n{\"input\": ", "line 2 is not JSON")]
    [InlineData("[{\"input\": \"a\", \"output\": \"b\"}, {\"inp", "cannot be read as instruction data")]
    [InlineData("", "has no record")]
    [InlineData("[]", "has no record")]
    public void Read_BadInput_NamesTheFileAndThePlace(string content, string message)
    {
        TokenDataException error = Assert.Throws<TokenDataException>(() => Read(content));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains(Path.GetFileName(_path), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_InvalidUtf8OrNoFile_IsAnError()
    {
        Assert.Contains(_path, Assert.Throws<TokenDataException>(() => InstructionFile.Read(_path).ToList()).Message, StringComparison.Ordinal);
        File.WriteAllBytes(_path, [.. "{\"input\": \"a\", \"output\": \""u8, 0xFF, .. "\"}"u8]);
        Assert.Throws<TokenDataException>(() => InstructionFile.Read(_path).ToList());
        File.WriteAllBytes(_path, [.. "[{\"input\": \"a\", \"output\": \""u8, 0xFF, .. "\"}]"u8]);
        Assert.Throws<TokenDataException>(() => InstructionFile.Read(_path).ToList());
    }

    [Fact]
    public void Read_Utf16_IsCalledSo()
    {
        File.WriteAllText(_path, """{"input": "a", "output": "b"}""", Encoding.Unicode);
        Assert.Contains("UTF-16", Assert.Throws<TokenDataException>(() => InstructionFile.Read(_path).ToList()).Message, StringComparison.Ordinal);
    }

    private InstructionRecord[] Read(string content)
    {
        File.WriteAllText(_path, content, new UTF8Encoding(false));
        return [.. InstructionFile.Read(_path)];
    }
}
