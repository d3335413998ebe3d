// The shard files of one domain while they are written: begins a new one when one is full, and goes on in the middle of one after a restart.
using LlmShearing.Data.Shards;
using LlmShearing.Files;

namespace LlmShearing.Data.Corpus;

internal sealed class DomainShardWriter(string folder, string domain, int rowLength, int vocabularySize, long shardBytes) : IDisposable
{
    private TokenShardWriter? _shard;

    /// <summary>Index of the file being written.</summary>
    public int Shard { get; private set; }

    /// <summary>Rows of the file being written.</summary>
    public long RowsInShard => _shard?.Rows ?? 0;

    private string PathOf(int shard) => Path.Combine(folder, FormattableString.Invariant($"shard-{shard:00000}{TokenShardHeader.Extension}"));

    public void Resume(int shard, long rows)
    {
        Shard = shard;
        if (rows > 0)
            _shard = TokenShardWriter.Resume(PathOf(shard), domain, rowLength, vocabularySize, rows);
        for (int later = rows > 0 ? shard + 1 : shard; File.Exists(PathOf(later)); later++)
            FileSteps.DeleteFile(PathOf(later));
    }

    public void Write(ReadOnlySpan<int> row)
    {
        _shard ??= new TokenShardWriter(PathOf(Shard), domain, rowLength, vocabularySize);
        _shard.Write(row);
        if (_shard.Bytes >= shardBytes)
            Close();
    }

    /// <summary>Makes sure that what was written is on the disk.</summary>
    public void Flush() => _shard?.Flush();

    /// <summary>Closes the last file.</summary>
    /// <returns>Entries of all files.</returns>
    public IReadOnlyList<TokenShardEntry> Complete()
    {
        Close();
        var entries = new List<TokenShardEntry>();
        for (int i = 0; i < Shard; i++)
        {
            TokenShardHeader header = TokenShardHeader.Read(PathOf(i));
            entries.Add(new TokenShardEntry(Path.GetFileName(PathOf(i)), header.Rows, FileFacts.Length(PathOf(i)), Convert.ToHexStringLower(header.Sha256)));
        }

        return entries;
    }

    /// <summary>Leaves the unfinished file where it is, to go on with later.</summary>
    public void Dispose() => _shard?.Suspend();

    /// <summary>Removes what was written.</summary>
    public void Discard()
    {
        _shard?.Dispose();
        for (int i = 0; i < Shard; i++)
            FileSteps.DeleteFile(PathOf(i));
    }

    private void Close()
    {
        if (_shard is null)
            return;
        _shard.Complete();
        _shard.Dispose();
        _shard = null;
        Shard++;
    }
}
