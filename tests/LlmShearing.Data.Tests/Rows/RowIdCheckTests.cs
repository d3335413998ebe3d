// Rows against the vocabulary of a model.
using LlmShearing.Data.Rows;

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

    [Fact]
    public void EnsureIdsBelow_RowsInMemory_NamesPlaceUnitAndPosition()
    {
        int[][] rows = [[0, 7], [1, 2, -1]];
        rows[..1].EnsureIdsBelow(8, "a.json");
        Assert.Contains("a.json, row 0, token 1: id 7 is outside the model's vocabulary of 7", Message(7, "row"), StringComparison.Ordinal);
        Assert.Contains("a.json, window 1, token 2: id -1 is outside the model's vocabulary of 8", Message(8, "window"), StringComparison.Ordinal);

        string Message(int vocabulary, string unit) => Assert.Throws<TokenDataException>(() => rows.EnsureIdsBelow(vocabulary, "a.json", unit)).Message;
    }
}
