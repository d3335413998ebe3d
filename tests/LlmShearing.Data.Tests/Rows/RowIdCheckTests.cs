// Rows against the vocabulary of a model.
namespace LlmShearing.Data.Tests.Rows;

public class RowIdCheckTests
{
    [Fact]
    public void EnsureIdsBelow_LongerTokenizer_IsJudgedByItsIds()
    {
        using var rows = new MemoryTokenRows("text", [[0, 1, 2], [3, 7, 2]], 9);
        rows.EnsureIdsBelow(8);
        string message = Assert.Throws<TokenDataException>(() => rows.EnsureIdsBelow(7)).Message;
        Assert.Contains("text, row 1, token 1: id 7", message, StringComparison.Ordinal);
        Assert.Contains("vocabulary of 7", message, StringComparison.Ordinal);
    }
}
