// Writes one shard file: rows of equal length, the header last, under a temporary name until complete.
using System.Security.Cryptography;
using LlmShearing.Data.Rows;
using LlmShearing.Files;

namespace LlmShearing.Data.Shards;

/// <summary>
/// Writes one shard file of fixed-length rows (docs/token-shards.md). Nothing is at the final name before <see cref="Complete"/>; disposing
/// earlier removes what was written.
/// </summary>
public sealed class TokenShardWriter : IDisposable
{
    private readonly string _path;
    private readonly string _temporary;
    private readonly FileStream _stream;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _row;
    private readonly TokenShardHeader _header;
    private bool _complete;

    /// <summary>Begins a file.</summary>
    /// <param name="path">Where the file will be; its name should end in <c>.tok</c>. The folder is made when it is missing.</param>
    /// <param name="domain">Name of the domain; at most 184 bytes of UTF-8.</param>
    /// <param name="rowLength">Ids a row, at least 1.</param>
    /// <param name="vocabularySize">Every id is below it; up to 65536 an id takes 2 bytes, else 4.</param>
    /// <exception cref="TokenDataException">The file cannot be written, or the name is too long.</exception>
    public TokenShardWriter(string path, string domain, int rowLength, int vocabularySize)
        : this(path, domain, rowLength, vocabularySize, FileMode.Create)
    {
    }

    private TokenShardWriter(string path, string domain, int rowLength, int vocabularySize, FileMode mode)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentException.ThrowIfNullOrEmpty(domain);
        ArgumentOutOfRangeException.ThrowIfLessThan(rowLength, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, 1);
        int nameBytes = System.Text.Encoding.UTF8.GetByteCount(domain);
        if (nameBytes > TokenShardHeader.MaxDomainBytes)
            throw new TokenDataException($"The domain '{domain[..20]}...' has a name of {nameBytes} bytes; a shard has room for {TokenShardHeader.MaxDomainBytes}. Use a shorter one.");
        _header = new TokenShardHeader(domain, TokenShardHeader.DtypeFor(vocabularySize), rowLength, vocabularySize, 0, []);
        _row = new byte[_header.RowBytes];
        _path = Path.GetFullPath(path);
        _temporary = _path + ".part";
        try
        {
            FileSteps.CreateFolder(Path.GetDirectoryName(_path)!);
            _stream = FileSteps.Create(_temporary, new FileStreamOptions { Mode = mode, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 1 << 16 });
            if (mode == FileMode.Create)
                _stream.Write(new byte[TokenShardHeader.Size]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _stream?.Dispose();
            throw new TokenDataException($"{path} cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Rows written so far.</summary>
    public long Rows { get; private set; }

    /// <summary>Size of the file so far in bytes, header included.</summary>
    public long Bytes => TokenShardHeader.Size + (Rows * _row.Length);

    /// <summary>Goes on with a file after its first <paramref name="rows"/> rows, whether it was complete by then or not.</summary>
    /// <exception cref="TokenDataException">There are fewer rows, or the file cannot be read.</exception>
    internal static TokenShardWriter Resume(string path, string domain, int rowLength, int vocabularySize, long rows)
    {
        string temporary = Path.GetFullPath(path) + ".part";
        if (!File.Exists(temporary) && File.Exists(path))
            FileSteps.MoveFile(path, temporary);
        var writer = new TokenShardWriter(path, domain, rowLength, vocabularySize, FileMode.Open);
        try
        {
            writer.SkipRows(rows);
            return writer;
        }
        catch
        {
            writer.Suspend();
            throw;
        }
    }

    /// <summary>Makes sure that the rows so far are on the disk.</summary>
    internal void Flush() => _stream.Flush(flushToDisk: true);

    /// <summary>Ends writing but leaves the unfinished file, for <see cref="Resume"/>.</summary>
    internal void Suspend()
    {
        _stream.Dispose();
        _hash.Dispose();
    }

    /// <summary>Appends a row.</summary>
    /// <param name="ids">Exactly as many ids as a row has, each from 0 and below the vocabulary size.</param>
    /// <exception cref="TokenDataException">The row has another length, or an id is outside the vocabulary.</exception>
    public void Write(ReadOnlySpan<int> ids)
    {
        ObjectDisposedException.ThrowIf(_complete, this);
        if (ids.Length != _header.RowLength)
            throw new TokenDataException($"{_path}, row {Rows}: {ids.Length} ids; every row of this shard has {_header.RowLength}.");
        for (int i = 0; i < ids.Length; i++)
            if ((uint)ids[i] >= (uint)_header.VocabularySize)
                throw new TokenDataException($"{_path}, row {Rows}, token {i}: id {ids[i]} is not below the vocabulary size {_header.VocabularySize}.");
        _header.Dtype.Narrow(ids, _row);
        _stream.Write(_row);
        _hash.AppendData(_row);
        Rows++;
    }

    /// <summary>Writes the header and gives the file its name.</summary>
    /// <exception cref="IOException">The disk is full or gone; nothing is at the final name then.</exception>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_complete, this);
        byte[] header = new byte[TokenShardHeader.Size];
        (_header with { Rows = Rows, Sha256 = _hash.GetHashAndReset() }).Write(header);
        _stream.Position = 0;
        _stream.Write(header);
        _stream.Flush(flushToDisk: true);
        _stream.Dispose();
        FileSteps.MoveFile(_temporary, _path);
        _complete = true;
    }

    private void SkipRows(long rows)
    {
        long end = TokenShardHeader.Size + (rows * _row.Length);
        if (_stream.Length < end)
            throw new TokenDataException($"{_temporary}: {_stream.Length} bytes; {end} were written before. Remove it and start again.");
        _stream.SetLength(end);
        _stream.Position = TokenShardHeader.Size;
        for (; Rows < rows; Rows++)
        {
            _stream.ReadExactly(_row);
            _hash.AppendData(_row);
        }
    }

    /// <summary>Ends writing; removes the file unless it was completed.</summary>
    public void Dispose()
    {
        _stream.Dispose();
        _hash.Dispose();
        if (!_complete)
            FileSteps.DeleteFile(_temporary);
    }
}
