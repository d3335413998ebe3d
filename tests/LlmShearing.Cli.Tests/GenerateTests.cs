using System.Text.Json;

namespace LlmShearing.Cli.Tests;

public sealed class GenerateTests
{
    [Fact]
    public void Greedy_IsTheSameEveryTime_AsTextAndAsJson()
    {
        string[] command = ["generate", Shear.Demo, "--prompt", "The history of the city", "--max-new-tokens", "8"];
        JsonElement json = Shear.Json(command);
        Assert.Equal(8, json.GetProperty("ids").GetArrayLength());
        Assert.Equal(json.GetProperty("text").GetString() + "\n", Shear.Run([.. command, "--quiet"]).Out);
    }

    [Fact]
    public void Sampling_FollowsTheSeed()
    {
        string Ids(string seed) => Shear.Json("generate", Shear.Demo, "--prompt", "The", "--max-new-tokens", "12", "--temperature", "1.5", "--top-k", "50", "--top-p", "0.9", "--seed", seed).GetProperty("ids").GetRawText();
        Assert.Equal(Ids("1"), Ids("1"));
        Assert.NotEqual(Ids("1"), Ids("2"));
    }

    [Fact]
    public void PromptIds_NeedNoTokenizer()
    {
        JsonElement json = Shear.Json("generate", Shear.Demo, "--prompt-ids", "49,989 506", "--max-new-tokens", "3");
        Assert.Equal([49, 989, 506], json.GetProperty("prompt_ids").Deserialize<int[]>()!);
        Assert.Equal(JsonValueKind.Null, json.GetProperty("text").ValueKind);
    }

    [Theory]
    [InlineData("either --prompt or --prompt-ids", new string[0])]
    [InlineData("'x' is no token id", new[] { "--prompt-ids", "1,x" })]
    [InlineData("2048", new[] { "--prompt-ids", "2048" })]
    [InlineData("--top-p '0' does not fit", new[] { "--prompt", "a", "--top-p", "0" })]
    [InlineData("The prompt has no tokens", new[] { "--prompt", "" })]
    public void Prompts_ThatCannotBeContinued_SayWhy(string expected, string[] options) =>
        Assert.Contains(expected, Shear.BadInput(["generate", Shear.Demo, .. options]), StringComparison.Ordinal);
}
