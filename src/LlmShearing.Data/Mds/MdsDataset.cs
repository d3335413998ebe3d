using System.Buffers;

namespace LlmShearing.Data.Mds;

/// <summary>
/// Reads MDS data sets (mosaicml-streaming, index version 2) strictly: whatever does not agree - sizes, counts, offsets, columns - is an error, where the original
/// reads on. Shards compressed with gz, br or zstd are decompressed into memory when they are first used. Reading is safe from several threads.
/// </summary>
public sealed class MdsDataset : IDisposable
{
    /// <summary>Name of the file that lists the shards.</summary>
    public const string IndexFile = "index.json";

    /// <summary>Default of the memory kept for decompressed shards, in bytes.</summary>
    public const long DefaultCacheBytes = 1L << 30;

    private readonly IReadOnlyList<MdsShardInfo> _shards;
    private readonly long[] _starts;
    private readonly MdsShardCache _cache;

    private MdsDataset(string folder, IReadOnlyList<MdsShardInfo> shards, long cacheBytes)
    {
        (Folder, _shards) = (folder, shards);
        _cache = new MdsShardCache(folder, shards, cacheBytes);
        _starts = new long[shards.Count];
        foreach ((int i, MdsShardInfo shard) in shards.Index())
        {
            _starts[i] = Count;
            Count += shard.Samples;
        }
    }

    /// <summary>Folder of the index.</summary>
    public string Folder { get; }

    /// <summary>Number of samples.</summary>
    public long Count { get; }

    /// <summary>Encoding of each column, by name; empty when there is no shard.</summary>
    public IReadOnlyDictionary<string, string> Columns => _shards.Count == 0 ? new Dictionary<string, string>() : _shards[0].Columns.ToDictionary(c => c.Name, c => c.Encoding, StringComparer.Ordinal);

    internal IReadOnlyList<MdsShardInfo> Shards => _shards;

    /// <summary>Opens a data set. The index and the size of every file are checked; each shard's inside is checked when it is first read.</summary>
    /// <param name="folder">Folder with <c>index.json</c>; a merged index over subfolders will do.</param>
    /// <param name="cacheBytes">Memory for decompressed shards in bytes; the one in use is kept even when it is larger. Default 1 GiB.</param>
    /// <returns>The data set; the caller disposes it.</returns>
    /// <exception cref="TokenDataException">The index is missing or not valid, a file is missing or has another size, or an encoding is unsafe or unknown.</exception>
    public static MdsDataset Open(string folder, long cacheBytes = DefaultCacheBytes)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        IReadOnlyList<MdsShardInfo> shards = MdsShardInfo.LoadIndex(Path.Combine(folder, IndexFile));
        foreach (MdsShardInfo shard in shards)
            MdsShardData.CheckSize(folder, shard.OnDisk);
        return new MdsDataset(folder, shards, cacheBytes);
    }

    /// <summary>Decodes a sample: byte[], string, long (ulong for uint64), double, <see cref="System.Numerics.BigInteger"/> for str_int, text for str_decimal, a JSON node, or an <see cref="MdsArray"/>.</summary>
    /// <param name="sample">0-based number over all shards.</param>
    /// <returns>Values by column.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sample.</exception>
    /// <exception cref="TokenDataException">The shard is damaged.</exception>
    public IReadOnlyDictionary<string, object> Read(long sample) => Visit(sample, static (shard, number, columns, bytes) =>
    {
        var values = new Dictionary<string, object>(StringComparer.Ordinal);
        try
        {
            long[] starts = new long[columns.Count + 1];
            MdsValues.Split(columns, bytes, starts);
            for (int i = 0; i < columns.Count; i++)
                values[columns[i].Name] = MdsValues.Decode(columns[i], bytes[(int)starts[i]..(int)starts[i + 1]]);
            return values;
        }
        catch (FormatException e)
        {
            throw shard.Error(number, e.Message);
        }
    });

    /// <summary>
    /// Compares every file with the digests that the index states. Those that .NET cannot compute (blake2, xxh32, xxh3, xxh128) are passed over when another can be.
    /// </summary>
    /// <param name="cancellationToken">Checked after each shard.</param>
    /// <exception cref="TokenDataException">A digest differs, one that the index announces is missing, or none of those stated can be computed.</exception>
    public void Verify(CancellationToken cancellationToken = default)
    {
        for (int i = 0; i < _shards.Count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            MdsShardInfo shard = _shards[i];
            if (shard.Zip is { } zip)
                CheckHashes(shard, zip, hash =>
                {
                    using FileStream stream = MdsShardData.OpenFile(Path.Combine(Folder, zip.File));
                    byte[] chunk = new byte[1 << 20];
                    for (int read; (read = stream.Read(chunk)) > 0;)
                        hash.Append(chunk.AsSpan(0, read));
                });
            int index = i;
            CheckHashes(shard, shard.Raw, hash => _cache.Get(index).Hash(hash));
        }
    }

    /// <summary>Closes the shards.</summary>
    public void Dispose() => _cache.Dispose();

    internal delegate T SampleReader<T>(MdsShardData shard, int number, IReadOnlyList<MdsColumn> columns, ReadOnlySpan<byte> bytes);

    /// <summary>Hands the bytes of a sample to <paramref name="read"/>.</summary>
    internal T Visit<T>(long sample, SampleReader<T> read)
    {
        if (sample < 0 || sample >= Count)
            throw new ArgumentOutOfRangeException(nameof(sample), sample, $"There are samples 0 to {Count - 1}.");
        int at = Array.BinarySearch(_starts, sample);
        at = at < 0 ? ~at - 1 : at;
        while (at + 1 < _starts.Length && _starts[at + 1] <= sample)
            at++;   // shards without samples
        int number = (int)(sample - _starts[at]);
        MdsShardData shard = _cache.Get(at);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(shard.SampleBytes(number));
        try
        {
            shard.Read(number, buffer);
            return read(shard, number, _shards[at].Columns, buffer.AsSpan(0, shard.SampleBytes(number)));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>For each shard one sample of every size that occurs in it: enough to know whether all rows have one length.</summary>
    internal IEnumerable<long> SamplesOfEachSize()
    {
        for (int i = 0; i < _shards.Count; i++)
        {
            MdsShardData shard = _cache.Get(i);
            var sizes = new HashSet<int>();
            for (int s = 0; s < _shards[i].Samples; s++)
                if (sizes.Add(shard.SampleBytes(s)))
                    yield return _starts[i] + s;
        }
    }

    private void CheckHashes(MdsShardInfo shard, MdsFileInfo file, Action<MdsHash> feed)
    {
        if (shard.HashNames.FirstOrDefault(n => !file.Hashes.ContainsKey(n)) is { } missing)
            throw new TokenDataException($"{Path.Combine(Folder, IndexFile)} announces the hash {missing} but states none for {file.File}.");
        int checkedHashes = 0;
        foreach ((string name, string expected) in file.Hashes)
        {
            using MdsHash? hash = MdsHash.Create(name);
            if (hash is null)
                continue;
            feed(hash);
            string found = hash.Hex();
            if (!string.Equals(found, expected, StringComparison.OrdinalIgnoreCase))
                throw new TokenDataException($"{Path.Combine(Folder, file.File)} has the {name} {found}; index.json says {expected}. The file is damaged or belongs to another index.");
            checkedHashes++;
        }

        if (checkedHashes == 0 && file.Hashes.Count > 0)
            throw new TokenDataException($"{file.File}: none of the hashes {string.Join(", ", file.Hashes.Keys)} can be computed here; those that can: {string.Join(", ", MdsHash.Names)}.");
    }
}
