using System.Security.Cryptography;
using System.Text.Json.Nodes;
using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Shards;

/// <summary>One shard file in this library's own format (docs/token-shards.md): fixed-length rows, memory-mapped.</summary>
public sealed class TokenShard : ITokenRows, IStoredRows
{
    private readonly TokenShardHeader _header;
    private readonly MappedTokens _tokens;

    private TokenShard(string path, TokenShardHeader header)
    {
        (Path, _header) = (path, header);
        _tokens = new MappedTokens(path, TokenShardHeader.Size, header.Rows * header.RowLength, header.Dtype, header.VocabularySize);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    string IStoredRows.Place => Path;

    /// <inheritdoc/>
    public string Name => _header.Domain;

    /// <inheritdoc/>
    public long Count => _header.Rows;

    /// <inheritdoc/>
    public int RowLength => _header.RowLength;

    /// <inheritdoc/>
    public int? VocabularySize => _header.VocabularySize;

    /// <summary>Digest of the ids as the header states it, lower-case hex. <see cref="Verify"/> compares.</summary>
    public string Sha256 => Convert.ToHexStringLower(_header.Sha256);

    /// <summary>Opens a file. Its size is compared with the header before anything is mapped; the digest is left to <see cref="Verify"/>.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="TokenDataException">The file is missing, no shard, damaged or cut short.</exception>
    public static TokenShard Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new TokenShard(path, TokenShardHeader.Read(path));
    }

    /// <inheritdoc/>
    public int Length(long row)
    {
        this.Check(row);
        return RowLength;
    }

    /// <inheritdoc/>
    public void Read(long row, Span<int> destination)
    {
        this.Check(row, destination);
        _tokens.Read(row * RowLength, destination);
    }

    /// <summary>Reads the whole file and compares its digest with the header.</summary>
    /// <param name="cancellationToken">Checked every megabyte.</param>
    /// <exception cref="TokenDataException">The digests differ.</exception>
    public void Verify(CancellationToken cancellationToken = default)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] chunk = new byte[1 << 20];
        long bytes = Count * _header.RowBytes;
        for (long done = 0; done < bytes; done += chunk.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Span<byte> part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, bytes - done));
            _tokens.ReadBytes(done, part);
            hash.AppendData(part);
        }

        string found = Convert.ToHexStringLower(hash.GetHashAndReset());
        if (found != Sha256)
            throw new TokenDataException($"{Path}: the ids have the SHA-256 {found}, the header says {Sha256}. The file is damaged; make it again.");
    }

    /// <inheritdoc/>
    public JsonObject Describe() => new()
    {
        ["name"] = Name,
        ["format"] = "shear",
        ["rows"] = Count,
        ["row_length"] = RowLength,
        ["files"] = new JsonArray(new JsonObject
        {
            ["file"] = System.IO.Path.GetFileName(Path),
            ["bytes"] = TokenShardHeader.Size + (Count * _header.RowBytes),
            ["sha256"] = Sha256,
        }),
    };

    /// <inheritdoc/>
    public void Dispose() => _tokens.Dispose();
}
