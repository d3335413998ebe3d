// The bytes of one MDS shard, checked: the table of offsets, the header inside the shard, and whether both agree with the index.
using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using LlmShearing.Data.Compression;
using LlmShearing.Data.Rows;
using LlmShearing.Files;
using LlmShearing.Json;

namespace LlmShearing.Data.Mds;

/// <summary>A shard ready to be read; mapped when it lies on the disk as it is, in memory when it had to be decompressed.</summary>
internal sealed class MdsShardData : IDisposable
{
    private readonly string _path;
    private readonly MappedTokens? _mapped;
    private readonly byte[] _bytes = [];
    private readonly uint[] _offsets;

    private MdsShardData(string path, MdsShardInfo info)
    {
        _path = path;
        try
        {
            if (info.Compression is null)
                _mapped = new MappedTokens(path, 0, info.Raw.Bytes, TokenDtype.UInt8);
            else
                _bytes = Decompress(path, info);
            _offsets = ReadTable(info);
        }
        catch
        {
            _mapped?.Dispose();
            throw;
        }
    }

    /// <summary>Memory that the shard takes, in bytes.</summary>
    public long MemoryBytes => _bytes.LongLength + (4L * _offsets.Length);

    /// <summary>Opens a shard; sizes are compared with the index before anything is mapped or decompressed.</summary>
    public static MdsShardData Open(string folder, MdsShardInfo info)
    {
        string path = CheckSize(folder, info.OnDisk);
        return new MdsShardData(path, info);
    }

    /// <summary>The full path of a file that exists and has the size the index states.</summary>
    public static string CheckSize(string folder, MdsFileInfo file)
    {
        string path = Path.Combine(folder, file.File);
        if (!File.Exists(path))
            throw new TokenDataException($"{path} does not exist, although index.json lists it.");
        long found = TokenStreams.Length(path);
        if (found != file.Bytes && LfsPointer.ProblemOf(path) is { } pointer)
            throw new TokenDataException(pointer);
        if (found != file.Bytes)
            throw new TokenDataException($"{path} has {found} bytes; index.json says {file.Bytes}. It is cut short or belongs to another index.");
        return path;
    }

    public int SampleBytes(int sample) => (int)(_offsets[sample + 1] - _offsets[sample]);

    /// <summary>Copies the bytes of a sample.</summary>
    public void Read(int sample, Span<byte> destination) => ReadBytes(_offsets[sample], destination[..SampleBytes(sample)]);

    public TokenDataException Error(int sample, string problem) => new($"{_path}, sample {sample}: {problem}.");

    /// <summary>Feeds the whole decompressed shard to a digest.</summary>
    public void Hash(MdsHash hash)
    {
        byte[] chunk = new byte[1 << 20];
        for (long at = 0; at < Length; at += chunk.Length)
        {
            Span<byte> part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, Length - at));
            ReadBytes(at, part);
            hash.Append(part);
        }
    }

    public void Dispose() => _mapped?.Dispose();

    private long Length => _mapped?.Count ?? _bytes.LongLength;

    private void ReadBytes(long offset, Span<byte> destination)
    {
        if (destination.IsEmpty)
            return;
        if (_mapped is not null)
            _mapped.ReadBytes(offset, destination);
        else
            _bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
    }

    private uint[] ReadTable(MdsShardInfo info)
    {
        Span<byte> count = stackalloc byte[4];
        long tableEnd = 4 + (4L * (info.Samples + 1L));
        if (Length < tableEnd)
            throw new TokenDataException($"{_path} has {Length} bytes, too few for the table of the {info.Samples} samples that index.json announces.");
        ReadBytes(0, count);
        uint samples = BinaryPrimitives.ReadUInt32LittleEndian(count);
        if (samples != info.Samples)
            throw new TokenDataException($"{_path} has {samples} samples; index.json says {info.Samples}.");
        uint[] offsets = new uint[info.Samples + 1];
        ReadBytes(4, MemoryMarshal.AsBytes(offsets.AsSpan()));
        if (!BitConverter.IsLittleEndian)
            BinaryPrimitives.ReverseEndianness(offsets, offsets);
        uint before = (uint)Math.Min(uint.MaxValue, tableEnd);
        for (int i = 0; i < offsets.Length; i++)
        {
            if (offsets[i] < before || offsets[i] > Length)
                throw new TokenDataException($"{_path}: sample {i} begins at byte {offsets[i]}; expected {before} to {Length}. The table of offsets is damaged.");
            before = offsets[i];
        }

        if (before != Length)
            throw new TokenDataException($"{_path}: the last sample ends at byte {before}, the shard at {Length}. It is cut short or something was added.");
        CheckHeader(info, tableEnd, offsets[0]);
        return offsets;
    }

    private void CheckHeader(MdsShardInfo info, long start, long end)
    {
        byte[] json = new byte[end - start];
        ReadBytes(start, json);
        using var stream = new MemoryStream(json);
        IReadOnlyList<MdsColumn> columns = StrictJson.Read(stream, $"{_path} (its header)", (message, cause) => new TokenDataException(message, cause), MdsShardInfo.ReadColumns);
        if (!columns.Select(c => (c.Name, c.Encoding)).SequenceEqual(info.Columns.Select(c => (c.Name, c.Encoding))))
            throw new TokenDataException($"{_path} was written with the columns {Describe(columns)}; index.json says {Describe(info.Columns)}.");
    }

    private static string Describe(IEnumerable<MdsColumn> columns) => string.Join(", ", columns.Select(c => $"{c.Name} ({c.Encoding})"));

    /// <summary>Opens a file of the data set for reading.</summary>
    public static FileStream OpenFile(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenDataException($"{path} cannot be read: {e.Message}", e);
        }
    }

    private static byte[] Decompress(string path, MdsShardInfo info)
    {
        if (info.Compression is "bz2" or "snappy")
            throw new TokenDataException($"{path} is compressed with {info.Compression}, which is not supported: gz, br and zstd are. Decompress the shards, or write them again.");
        using FileStream file = OpenFile(path);
        using Stream stream = info.Compression switch
        {
            "gz" => new CompleteGZipStream(file),
            "br" => new BrotliStream(file, CompressionMode.Decompress),
            _ => new ZstdStream(file, path),
        };
        using var result = new MemoryStream();
        byte[] chunk = new byte[1 << 16];
        try
        {
            // Memory grows with what really comes out, never by what the index announces.
            for (int read; (read = stream.Read(chunk)) > 0 && result.Length + read <= info.Raw.Bytes;)
                result.Write(chunk, 0, read);
            if (result.Length != info.Raw.Bytes || stream.Read(chunk) > 0)
                throw new TokenDataException($"{path} decompresses to {(result.Length == info.Raw.Bytes ? "more" : $"other than {info.Raw.Bytes}")} bytes; index.json says {info.Raw.Bytes}.");
        }
        catch (Exception e) when (e is IOException or InvalidDataException or InvalidOperationException)
        {
            throw new TokenDataException($"{path} cannot be decompressed as {info.Compression}: {e.Message}", e);
        }

        return result.ToArray();
    }
}
