using LlmShearing.Data.Corpus;
using LlmShearing.Data.Mds;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Shards;
using LlmShearing.Files;

namespace LlmShearing.Data.Formats;

/// <summary>Formats that token rows can be written in.</summary>
public enum TokenRowsFormat
{
    /// <summary>This library's shards with an index.json (docs/token-shards.md).</summary>
    Shards,

    /// <summary>MDS by LLM-Shearing's convention; ids below 65536.</summary>
    Mds,

    /// <summary>One NumPy array [rows, length] of uint16, or uint32 for larger vocabularies.</summary>
    Npy,
}

/// <summary>Writes token rows to disk.</summary>
public static class TokenRowsExport
{
    private const int RowsPerReport = 256;

    /// <summary>Writes rows of one length.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="path">Folder of the shards or data set; for npy the file.</param>
    /// <param name="format">How.</param>
    /// <param name="shardBytes">Largest shard in bytes; null = the format's default.</param>
    /// <param name="progress">Receives rows written.</param>
    /// <param name="cancellationToken">Stops; nothing that looks complete is left.</param>
    /// <exception cref="TokenDataException">There is a data set already, rows differ in length, or ids do not fit the format.</exception>
    public static void Write(
        ITokenRows rows, string path, TokenRowsFormat format, long? shardBytes = null, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (rows.RowLength == 0 && rows.Count > 0)
            throw new TokenDataException($"The rows of '{rows.Name}' differ in length; only rows of one length can be written.");
        IEnumerable<long> order = InOrder(rows.Count, progress, cancellationToken);
        switch (format)
        {
            case TokenRowsFormat.Npy:
                NpyFile.Write(path, rows, order, cancellationToken);
                break;
            case TokenRowsFormat.Mds:
                using (var writer = new MdsWriter(path, rows.Name, shardBytes ?? MdsWriter.DefaultSizeLimit))
                {
                    Copy(rows, order, row => writer.Write(row));
                    writer.Complete();
                }

                break;
            default:
                WriteShards(rows, path, order, shardBytes ?? CorpusTokenizerOptions.DefaultShardBytes);
                break;
        }
    }

    private static void WriteShards(ITokenRows rows, string folder, IEnumerable<long> order, long shardBytes)
    {
        string index = Path.Combine(folder, TokenShardIndex.FileName);
        if (File.Exists(index))
            throw new TokenDataException($"'{folder}' has rows already. Choose another folder or remove it.");
        if (rows.VocabularySize is not { } vocabulary)
            vocabulary = int.MaxValue;
        FileSteps.CreateFolder(folder);
        IReadOnlyList<TokenShardEntry> entries;
        var writer = new DomainShardWriter(folder, rows.Name, Math.Max(1, rows.RowLength), vocabulary, shardBytes);
        try
        {
            writer.Resume(0, 0);
            Copy(rows, order, row => writer.Write(row));
            entries = writer.Complete();
        }
        catch
        {
            writer.Discard();
            throw;
        }

        new TokenShardIndex(rows.Name, Math.Max(1, rows.RowLength), vocabulary, entries, [], null).Save(index);
    }

    private static void Copy(ITokenRows rows, IEnumerable<long> order, RowPacker.RowWriter write)
    {
        int[] ids = new int[rows.RowLength];
        foreach (long row in order)
        {
            rows.Read(row, ids);
            write(ids);
        }
    }

    private static IEnumerable<long> InOrder(long count, IProgress<ShearingProgress>? progress, CancellationToken cancellationToken)
    {
        for (long row = 0; row < count; row++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return row;
            if (row + 1 == count || (row + 1) % RowsPerReport == 0)
                progress?.Report(new ShearingProgress("writing rows", row + 1, count, "rows"));
        }
    }
}
