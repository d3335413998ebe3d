// Whether rows that are there already are those that would be written.
using LlmShearing.Data.Formats;
using LlmShearing.Data.Mds;
using LlmShearing.Data.Rows;

namespace LlmShearing.Cli.Output;

internal static class RowsOnDisk
{
    /// <summary>Whether there is a complete set of rows.</summary>
    public static bool Exist(string path) => File.Exists(path) || File.Exists(Path.Combine(path, MdsDataset.IndexFile));

    /// <summary>Whether <paramref name="path"/> holds exactly these rows in this format.</summary>
    public static bool Are(string path, ITokenRows rows, TokenRowsFormat format)
    {
        try
        {
            using ITokenRows there = TokenRows.Open(path);
            bool mds = (string?)there.Describe()["format"] == "mds";
            if (mds != (format == TokenRowsFormat.Mds) || there.Count != rows.Count || there.RowLength != rows.RowLength)
                return false;
            if (format == TokenRowsFormat.Shards && there.VocabularySize != (rows.VocabularySize ?? int.MaxValue))
                return false;
            int[] left = new int[rows.RowLength], right = new int[rows.RowLength];
            for (long row = 0; row < rows.Count; row++)
            {
                there.Read(row, left);
                rows.Read(row, right);
                if (!left.AsSpan().SequenceEqual(right))
                    return false;
            }

            return true;
        }
        catch (TokenDataException)
        {
            return false;
        }
    }
}
