using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Tests.Rows;

public sealed class MemoryTokenRowsTests
{
    [Fact]
    public void Ragged_HasRowLengthZero()
    {
        using var rows = new MemoryTokenRows("d", [[1, 2], [3]]);
        Assert.Equal((2, 0, 2, 1), ((int)rows.Count, rows.RowLength, rows.Length(0), rows.Length(1)));
        Assert.Equal([3], rows.Row(1));
    }

    [Fact]
    public void IdOutsideVocabulary_IsRefused() =>
        Assert.Contains("'d', row 1, token 0: id 5", Assert.Throws<TokenDataException>(() => new MemoryTokenRows("d", [[1], [5]], 5)).Message, StringComparison.Ordinal);

    [Fact]
    public void Joined_RowsFollowOneAnother()
    {
        int[][] all = TestFolder.Rows(6, 3, 50);
        using var joined = new JoinedTokenRows("j", [
            new MemoryTokenRows("a", []), new MemoryTokenRows("b", all[..2], 50), new MemoryTokenRows("c", []), new MemoryTokenRows("d", all[2..], 60), new MemoryTokenRows("e", [])]);
        Assert.Equal((6, 3), ((int)joined.Count, joined.RowLength));
        Assert.Equal(all, joined.All());
        Assert.Throws<ArgumentOutOfRangeException>(() => joined.Length(6));
    }
}
