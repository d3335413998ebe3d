// The argument checks that all row readers share.
namespace LlmShearing.Data.Rows;

internal static class RowArguments
{
    public static void Check(this ITokenRows rows, long row)
    {
        if (row < 0 || row >= rows.Count)
            throw new ArgumentOutOfRangeException(nameof(row), row, $"'{rows.Name}' has rows 0 to {rows.Count - 1}.");
    }

    public static void Check(this ITokenRows rows, long row, Span<int> destination)
    {
        rows.Check(row);
        int length = rows.Length(row);
        if (destination.Length != length)
            throw new ArgumentException($"Row {row} of '{rows.Name}' has {length} tokens; the destination has room for {destination.Length}.", nameof(destination));
    }
}
