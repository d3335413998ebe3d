// Writes MDS as mosaicml-streaming does, byte for byte: shards, their headers, and the index's text.
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using LlmShearing.Data.Rows;
using LlmShearing.Files;

namespace LlmShearing.Data.Mds;

/// <summary>
/// Writes token rows as an MDS data set that mosaicml-streaming reads, by LLM-Shearing's convention: column <c>tokens</c> with the raw uint16 ids, column <c>set</c> with the
/// domain. The index is written last, so that a data set without one is unfinished.
/// </summary>
public sealed class MdsWriter : IDisposable
{
    /// <summary>Default of the largest shard, in bytes: that of the original.</summary>
    public const long DefaultSizeLimit = 1L << 26;

    private const int Words = 8;   // the sizes of two columns

    private readonly string _folder;
    private readonly byte[] _set;
    private readonly string[] _hashes;
    private readonly long _sizeLimit;
    private readonly byte[] _config;
    private readonly List<byte[]> _samples = [];
    private readonly List<string> _shards = [];
    private readonly List<string> _files = [];
    private long _size;
    private bool _finished;

    /// <summary>Begins a data set.</summary>
    /// <param name="folder">Output folder; made when it is missing; must not have an index yet.</param>
    /// <param name="set">The domain, written into every sample.</param>
    /// <param name="sizeLimit">Largest shard in bytes, below 2 GiB. Default 64 MiB.</param>
    /// <param name="hashes">Digests to state in the index: md5, sha1, sha256, sha384, sha512, xxh64. Default none, as LLM-Shearing.</param>
    /// <exception cref="TokenDataException">There is a data set already, or a hash is not known.</exception>
    public MdsWriter(string folder, string set, long sizeLimit = DefaultSizeLimit, params IEnumerable<string> hashes)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(set);
        ArgumentOutOfRangeException.ThrowIfLessThan(sizeLimit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sizeLimit, Array.MaxLength);
        _hashes = [.. hashes.Order(StringComparer.Ordinal)];
        if (_hashes.FirstOrDefault(h => !MdsHash.Names.Contains(h)) is { } unknown)
            throw new TokenDataException($"The hash '{unknown}' cannot be computed; known: {string.Join(", ", MdsHash.Names)}.");
        (_folder, _set, _sizeLimit) = (folder, Encoding.UTF8.GetBytes(set), sizeLimit);
        if (File.Exists(IndexPath))
            throw new TokenDataException($"'{folder}' has a data set already. Choose another folder or remove it.");
        FileSteps.CreateFolder(folder);
        Leftovers.Sweep(folder, name => name.StartsWith("shard.", StringComparison.Ordinal) && name.EndsWith(".mds", StringComparison.Ordinal));
        _config = Encoding.ASCII.GetBytes("{" + ColumnsJson + $", \"compression\": null, \"format\": \"mds\", \"hashes\": {List(_hashes)}, \"size_limit\": {Number(sizeLimit)}, \"version\": 2}}");
        _size = EmptyShard;
    }

    private const string ColumnsJson = "\"column_encodings\": [\"str\", \"bytes\"], \"column_names\": [\"set\", \"tokens\"], \"column_sizes\": [null, null]";

    private string IndexPath => Path.Combine(_folder, MdsDataset.IndexFile);

    private long EmptyShard => 4 + 4 + _config.Length;

    /// <summary>Appends a row.</summary>
    /// <param name="ids">Ids below 65536; any number of them.</param>
    /// <exception cref="TokenDataException">An id does not fit into uint16, or the row into a shard.</exception>
    public void Write(ReadOnlySpan<int> ids)
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        for (int i = 0; i < ids.Length; i++)
            if ((uint)ids[i] > ushort.MaxValue)
                throw new TokenDataException($"{_folder}: id {ids[i]} does not fit into uint16, which LLM-Shearing's MDS convention is limited to. Keep the rows in this library's own format.");
        byte[] sample = new byte[Words + _set.Length + (2 * ids.Length)];
        BinaryPrimitives.WriteInt32LittleEndian(sample, _set.Length);
        BinaryPrimitives.WriteInt32LittleEndian(sample.AsSpan(4), 2 * ids.Length);
        _set.CopyTo(sample.AsSpan(Words));
        TokenDtype.UInt16.Narrow(ids, sample.AsSpan(Words + _set.Length));
        long cost = sample.Length + 4L;
        // As the original: the limit is looked at before a sample is added, even to an empty shard.
        if (_size + cost > _sizeLimit)
            Flush();
        if (_size + cost > Array.MaxLength)
            throw new TokenDataException($"{_folder}: a row of {ids.Length} ids does not fit into a shard.");
        _samples.Add(sample);
        _size += cost;
    }

    /// <summary>Writes the last shard and the index.</summary>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        if (_samples.Count > 0)
            Flush();
        string json = $"{{\"shards\": [{string.Join(", ", _shards)}], \"version\": 2}}";
        AtomicFile.Write(IndexPath, stream => stream.Write(Encoding.ASCII.GetBytes(json)));
        _finished = true;
    }

    /// <summary>Ends writing; removes the shards unless the data set was completed.</summary>
    public void Dispose()
    {
        if (!_finished)
            foreach (string file in _files)
                FileSteps.DeleteFile(file);
        _finished = true;
    }

    private void Flush()
    {
        byte[] shard = new byte[_size];
        uint[] offsets = new uint[_samples.Count + 1];
        offsets[0] = (uint)(4 + (4 * offsets.Length) + _config.Length);
        for (int i = 0; i < _samples.Count; i++)
        {
            _samples[i].CopyTo(shard.AsSpan((int)offsets[i]));
            offsets[i + 1] = offsets[i] + (uint)_samples[i].Length;
        }

        BinaryPrimitives.WriteInt32LittleEndian(shard, _samples.Count);
        MemoryMarshal.AsBytes(offsets.AsSpan()).CopyTo(shard.AsSpan(4));
        _config.CopyTo(shard.AsSpan(4 + (4 * offsets.Length)));
        string name = FormattableString.Invariant($"shard.{_shards.Count:00000}.mds");
        _files.Add(Path.Combine(_folder, name));
        AtomicFile.Write(_files[^1], stream => stream.Write(shard), sweep: false);
        _shards.Add($"{{{ColumnsJson}, \"compression\": null, \"format\": \"mds\", \"hashes\": {List(_hashes)}, \"raw_data\": {{\"basename\": \"{name}\", \"bytes\": {Number(shard.Length)}, \"hashes\": {{{Digests(shard)}}}}}, "
            + $"\"samples\": {Number(_samples.Count)}, \"size_limit\": {Number(_sizeLimit)}, \"version\": 2, \"zip_data\": null}}");
        _samples.Clear();
        _size = EmptyShard;
    }

    private string Digests(byte[] shard) => string.Join(", ", _hashes.Select(name =>
    {
        using MdsHash hash = MdsHash.Create(name)!;
        hash.Append(shard);
        return $"\"{name}\": \"{hash.Hex()}\"";
    }));

    private static string List(IEnumerable<string> names) => "[" + string.Join(", ", names.Select(n => $"\"{n}\"")) + "]";

    private static string Number(long value) => value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
