// A run of ids in a file, memory-mapped: nothing is read before it is asked for, and the system's page cache keeps what is read again.
using System.IO.MemoryMappedFiles;
using LlmShearing.Files;

namespace LlmShearing.Data.Rows;

/// <summary>The ids of one file. The size is checked by whoever knows the format, before anything is mapped.</summary>
internal sealed class MappedTokens : IDisposable
{
    private const int ChunkBytes = 8192;

    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly TokenDtype _dtype;
    private readonly int _limit;

    /// <param name="path">The file.</param>
    /// <param name="offset">Bytes before the first id.</param>
    /// <param name="count">Ids; offset + count ids lie inside the file.</param>
    /// <param name="dtype">Their type.</param>
    /// <param name="limit">Ids must be below this.</param>
    public MappedTokens(string path, long offset, long count, TokenDtype dtype, int limit = int.MaxValue)
    {
        (Path, Count, _dtype, _limit) = (path, count, dtype, limit);
        long bytes = checked(count * dtype.Bytes());
        if (bytes == 0)
            return;   // an empty file cannot be mapped
        try
        {
            LfsPointer.Refuse(path);
            _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            _view = _file.CreateViewAccessor(offset, bytes, MemoryMappedFileAccess.Read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _file?.Dispose();
            throw new TokenDataException($"{path} cannot be mapped: {e.Message}", e);
        }
    }

    public string Path { get; }

    public long Count { get; }

    /// <summary>Copies ids; the range is the caller's to check.</summary>
    public void Read(long first, Span<int> ids)
    {
        Span<byte> chunk = stackalloc byte[ChunkBytes];
        int width = _dtype.Bytes();
        for (int done = 0; done < ids.Length;)
        {
            Span<int> part = ids[done..Math.Min(ids.Length, done + (ChunkBytes / width))];
            Span<byte> bytes = chunk[..(part.Length * width)];
            _view!.SafeMemoryMappedViewHandle.ReadSpan((ulong)(_view.PointerOffset + ((first + done) * width)), bytes);
            int bad = _dtype.Widen(bytes, part, _limit);
            if (bad >= 0)
                throw new TokenDataException($"{Path}, token {first + done + bad}: {_dtype.Value(bytes, bad)} is no id below {_limit}. The file is damaged, or its ids have another type than {_dtype.Name()}.");
            done += part.Length;
        }
    }

    /// <summary>The bytes of the ids, for hashing.</summary>
    public void ReadBytes(long offset, Span<byte> bytes) =>
        _view!.SafeMemoryMappedViewHandle.ReadSpan((ulong)(_view.PointerOffset + offset), bytes);

    public void Dispose()
    {
        _view?.Dispose();
        _file?.Dispose();
    }
}
