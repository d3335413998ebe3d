using LlmShearing.Cli.Input;
using LlmShearing.Cli.Terminal;

namespace LlmShearing.Cli.Tests;

public sealed class InputTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData("{\"x\":[[1]]}", "has no member \"rows\"")]
    [InlineData("5", "expected an array of arrays of token ids, found a number")]
    [InlineData("[1,2]", "row 0 is a number; expected an array")]
    [InlineData("[[1,2],[3,-4]]", "row 1, token 1 is -4; expected a token id")]
    [InlineData("[[1,2.5]]", "row 0, token 1 is 2.5")]
    [InlineData("[[1,\"a\"]]", "row 0, token 1 is text")]
    [InlineData("[[1,2]", "not valid JSON")]
    [InlineData("", "not valid JSON")]
    [InlineData("{\"\\ud800\":1,\"b\":[\"\\udc00\"]}", "has no member \"rows\"")]
    [InlineData("{\"\\udc00\":1,\"rows\":[[\"\\ud800\"]]}", "row 0, token 0 is text")]
    public void IdsFile_Broken_NamesThePlace(string content, string expected)
    {
        var error = Assert.Throws<UsageException>(() => IdsFile.Read(_scratch.Write("ids.json", content)));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void IdsFile_RaggedRows_AreKept() =>
        Assert.Equal([[1, 2, 3], [], [4]], IdsFile.Read(_scratch.Write("ids.json", " [ [1,2,3], [], [4] ]\n")));

    [Theory]
    [InlineData("{\"\\ud800\":{\"rows\":\"\\udc00\"},\"rows\":[[1,2],[3]]}")]
    [InlineData("{\"rows\":[[1,2],[3]],\"x\\ud83d\":null}")]
    public void IdsFile_NamesWithHalfASurrogatePair_AreOtherMembers(string content) => Assert.Equal([[1, 2], [3]], IdsFile.Read(_scratch.Write("ids.json", content)));

    [Theory]
    [InlineData("5GB", 5_000_000_000)]
    [InlineData("200 MB", 200_000_000)]
    [InlineData("1.5k", 1500)]
    [InlineData("1MiB", 1_048_576)]
    [InlineData("123", 123)]
    public void ParseBytes_UsualForms_AreRead(string text, long expected) => Assert.Equal(expected, Numbers.ParseBytes(text));

    [Theory]
    [InlineData("")]
    [InlineData("GB")]
    [InlineData("5 elephants")]
    [InlineData("-5MB")]
    [InlineData("0")]
    public void ParseBytes_OtherText_IsRefused(string text) => Assert.Null(Numbers.ParseBytes(text));

    [Theory]
    [InlineData(0, "0")]
    [InlineData(7, "7")]
    [InlineData(14.1234567, "14.123")]
    [InlineData(0.0123456, "0.012346")]
    [InlineData(123456.789, "123457")]
    [InlineData(1.5e-7, "1.5e-7")]
    [InlineData(2e12, "2e+12")]
    [InlineData(-3.5, "-3.5")]
    [InlineData(double.PositiveInfinity, "inf")]
    [InlineData(double.NaN, "nan")]
    public void Significant_ShowsFiveDigits(double value, string expected) => Assert.Equal(expected, Numbers.Significant(value));

    [Fact]
    public void Json_NumbersThatJsonLacks_AreText() =>
        Assert.Equal("[1.5,\"inf\",\"-inf\",\"nan\"]", Numbers.Json([1.5, double.PositiveInfinity, double.NegativeInfinity, double.NaN]).ToJsonString());
}
