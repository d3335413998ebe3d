// Broken text in JSON is found when a document comes in, with its place.
using System.Text;
using System.Text.Json;
using LlmShearing.Json;

namespace LlmShearing.Core.Tests.Files;

public class SafeJsonTests
{
    [Theory]
    [InlineData("{\"a\":{\"b\":[1,\"x\",\"\\ud800\"]}}", "'a.b[2]'")]
    [InlineData("{\"a\":[[],{},{\"c\":\"\\udc00\\ud800\"}]}", "'a[2].c'")]
    [InlineData("{\"a\":{\"b\":1},\"c\":\"\u00ff\"}", "'c'")]
    [InlineData("{\"a\":{\"\\ud83d\":1}}", "a member's name in 'a'")]
    [InlineData("{\"\u00ff\":1}", "a member's name")]
    [InlineData("[\"\\ud83dx\"]", "'[0]'")]
    [InlineData("\"\\ud83d\"", "'the text'")]
    public void BrokenText_IsFoundAtTheDoor(string latin1, string place)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(latin1);
        foreach (Action read in new Action[]
        {
            () => SafeJson.Document(bytes),
            () => SafeJson.Document(new MemoryStream(bytes)),
            () => SafeJson.Node(bytes),
            () => SafeJson.Check(bytes),
        })
        {
            string message = Assert.ThrowsAny<JsonException>(read).Message;
            Assert.StartsWith(place, message, StringComparison.Ordinal);
            Assert.Contains("half a surrogate pair", message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("{\"\\ud83d\\ude00\":\"\\ud83d\\ude00\",\"\\\\ud83d\":\"\\\\ud83d \\n\\u0041\"}")]
    [InlineData("{\"\U0001F600\":[\"\u00e9\"]}")]
    public void WholeText_Passes(string json)
    {
        using JsonDocument document = SafeJson.Document(Encoding.UTF8.GetBytes("\uFEFF" + json).AsMemory(3));
        Assert.Equal(JsonDocument.Parse(json).RootElement.EnumerateObject().First().Name, document.RootElement.EnumerateObject().First().Name);
    }

    [Fact]
    public void Text_OfACharacterString_IsCheckedToo() =>
        Assert.Contains("half a surrogate pair", Assert.ThrowsAny<JsonException>(() => SafeJson.Node("{\"a\":\"\ud800\"}")).Message, StringComparison.Ordinal);

    [Fact]
    public void LongNames_AreCut() =>
        Assert.True(Assert.ThrowsAny<JsonException>(() => SafeJson.Node($"{{\"{new string('n', 10_000)}\":\"\\ud800\"}}")).Message.Length < 400);

    [Fact]
    public void WhatWasRead_CanBePartOfSomethingWritten()
    {
        static string Nested(int depth) => new string('[', depth) + new string(']', depth);
        var whole = new System.Text.Json.Nodes.JsonObject { ["a"] = new System.Text.Json.Nodes.JsonArray(SafeJson.Node(Nested(48))) };
        Assert.Contains(Nested(48), whole.ToJsonString(new JsonSerializerOptions()), StringComparison.Ordinal);
        foreach (Action read in new Action[] { () => SafeJson.Node(Nested(49)), () => SafeJson.Document(Nested(49)), () => SafeJson.Element(Nested(49)) })
            Assert.Contains("depth of 48", Assert.ThrowsAny<JsonException>(read).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Elements_NameTheRecord() =>
        Assert.StartsWith("record 1, 'a'", Assert.ThrowsAny<JsonException>(() => SafeJson.Elements(new MemoryStream("[{},{\"a\":\"\\ud800\"}]"u8.ToArray())).Count()).Message, StringComparison.Ordinal);
}
