// Reads one safetensors file. Two ways to the bytes: positional reads (bounded resident memory, safe against a file that is cut
// while open) and a read-only memory map made on first use (zero copies).
using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.IO.MemoryMappedFiles;
using LlmShearing.Files;
using Microsoft.Win32.SafeHandles;

namespace LlmShearing.Checkpoints;

/// <summary>A safetensors file opened for reading; its header is read and fully checked when it is opened. Reads may run on several threads.</summary>
public sealed unsafe class SafetensorsReader : IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly FrozenDictionary<string, SafetensorsEntry> _byName;
    private readonly Lock _mapLock = new();
    private MemoryMappedFile? _map;
    private MemoryMappedViewAccessor? _view;
    private byte* _base;
    private bool _disposed;

    private SafetensorsReader(string path, SafeFileHandle handle, SafetensorsHeader header, long dataStart)
    {
        (FilePath, _handle, DataStart) = (path, handle, dataStart);
        (Tensors, Metadata) = (header.Entries, header.Metadata);
        _byName = Tensors.ToFrozenDictionary(t => t.Name, StringComparer.Ordinal);
    }

    /// <summary>The file.</summary>
    public string FilePath { get; }

    /// <summary>Offset of the first data byte in the file.</summary>
    public long DataStart { get; }

    /// <summary>All tensors, in the order of their data.</summary>
    public ImmutableArray<SafetensorsEntry> Tensors { get; }

    /// <summary>The free text map of the header; empty when absent.</summary>
    public ImmutableSortedDictionary<string, string> Metadata { get; }

    internal SafeFileHandle Handle => _handle;

    /// <summary>Opens a file and checks its whole header. No memory is set aside for sizes that the file merely claims.</summary>
    /// <param name="path">A safetensors file.</param>
    /// <returns>The open reader.</returns>
    /// <exception cref="SafetensorsException">The file breaks the format.</exception>
    /// <exception cref="CheckpointException">The file cannot be opened or read.</exception>
    public static SafetensorsReader Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            if (LfsPointer.ProblemOf(path) is { } pointer)
                throw new CheckpointException(pointer, path);
            (SafetensorsHeader header, long dataStart) = ReadHeader(handle, path);
            return new SafetensorsReader(path, handle, header, dataStart);
        }
        catch (Exception e)
        {
            handle?.Dispose();
            if (e is IOException or UnauthorizedAccessException)
                throw new CheckpointException($"'{path}' cannot be read: {e.Message}", path, e);
            throw;
        }
    }

    /// <summary>The entry of a tensor.</summary>
    /// <param name="name">Name of the tensor.</param>
    /// <returns>Its entry.</returns>
    /// <exception cref="CheckpointException">The file has no such tensor.</exception>
    public SafetensorsEntry this[string name] =>
        TryGet(name, out SafetensorsEntry? entry) ? entry! : throw new CheckpointException($"'{FilePath}' has no tensor '{name}'.", FilePath);

    /// <summary>Finds a tensor by name.</summary>
    /// <param name="name">Name of the tensor.</param>
    /// <param name="entry">The entry, or null.</param>
    /// <returns>False when the file has no such tensor.</returns>
    public bool TryGet(string name, out SafetensorsEntry? entry) => _byName.TryGetValue(name, out entry);

    /// <summary>Reads bytes of a tensor with a positional read.</summary>
    /// <param name="tensor">An entry of this file.</param>
    /// <param name="offset">First byte within the tensor.</param>
    /// <param name="destination">Filled completely.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is outside the tensor.</exception>
    /// <exception cref="CheckpointException">The file cannot be read or was cut after it was opened.</exception>
    public void Read(SafetensorsEntry tensor, long offset, Span<byte> destination)
    {
        CheckRange(tensor, offset, destination.Length);
        ReadFile(DataStart + tensor.Offset + offset, destination);
    }

    /// <summary>A view of a tensor's bytes in the memory map: no copy. Valid only until <see cref="Dispose"/>; not aligned in general.</summary>
    /// <param name="tensor">An entry of this file.</param>
    /// <param name="offset">First byte within the tensor; default 0.</param>
    /// <param name="length">Bytes, at most 2^31 - 1; default: all that is left.</param>
    /// <returns>The bytes, little-endian, row-major.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range is outside the tensor or longer than one span can be.</exception>
    /// <exception cref="CheckpointException">The file cannot be mapped or was cut after it was opened.</exception>
    public ReadOnlySpan<byte> GetSpan(SafetensorsEntry tensor, long offset = 0, int? length = null)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        long count = length ?? tensor.ByteLength - offset;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, int.MaxValue, nameof(length));
        CheckRange(tensor, offset, count);
        return count == 0 ? default : new ReadOnlySpan<byte>(Map() + DataStart + tensor.Offset + offset, (int)count);
    }

    /// <summary>Closes the file. Spans from <see cref="GetSpan"/> must not be used afterwards.</summary>
    public void Dispose()
    {
        lock (_mapLock)
        {
            if (_disposed)
                return;
            _disposed = true;
            if (_base != null)
                _view!.SafeMemoryMappedViewHandle.ReleasePointer();
            _base = null;
            _view?.Dispose();
            _map?.Dispose();
            _handle.Dispose();
        }
    }

    /// <summary>Reads at an absolute file position; an early end is an error.</summary>
    internal void ReadFile(long position, Span<byte> destination)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ReadFully(_handle, position, destination, FilePath);
    }

    private static (SafetensorsHeader Header, long DataStart) ReadHeader(SafeFileHandle handle, string path)
    {
        long fileLength = RandomAccess.GetLength(handle);
        if (fileLength < 8)
            throw new SafetensorsException(SafetensorsError.HeaderTooSmall, $"'{path}' has {fileLength} bytes; a safetensors file has at least 8.", path);
        Span<byte> prefix = stackalloc byte[8];
        ReadFully(handle, 0, prefix, path);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > SafetensorsHeader.MaxLength)
            throw new SafetensorsException(SafetensorsError.HeaderTooLarge, $"'{path}' claims a header of {length} bytes; at most {SafetensorsHeader.MaxLength} are allowed. It is probably no safetensors file.", path);
        if ((long)length > fileLength - 8)
            throw new SafetensorsException(SafetensorsError.InvalidHeaderLength, $"'{path}' claims a header of {length} bytes, but has {fileLength} in all. It is truncated or is no safetensors file.", path);
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)length);
        try
        {
            Span<byte> json = buffer.AsSpan(0, (int)length);
            ReadFully(handle, 8, json, path);
            return (SafetensorsHeader.Parse(json, fileLength - 8 - (long)length, path), 8 + (long)length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void ReadFully(SafeFileHandle handle, long position, Span<byte> destination, string path)
    {
        while (destination.Length > 0)
        {
            int n;
            try
            {
                n = RandomAccess.Read(handle, destination, position);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CheckpointException($"'{path}' cannot be read at byte {position}: {e.Message}", path, e);
            }

            if (n == 0)
                throw new CheckpointException($"'{path}' ends at byte {position}, {destination.Length} bytes early. It was changed while it was open.", path);
            position += n;
            destination = destination[n..];
        }
    }

    private static void CheckRange(SafetensorsEntry tensor, long offset, long length)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, tensor.ByteLength - offset, nameof(length));
    }

    private byte* Map()
    {
        lock (_mapLock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_base != null)
                return _base;
            try
            {
                _map ??= MemoryMappedFile.CreateFromFile(_handle, mapName: null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
                _view ??= _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CheckpointException($"'{FilePath}' cannot be mapped into memory: {e.Message}", FilePath, e);
            }

            // Touching a page beyond the end would kill the process, so a file that was cut since the header was read is refused here.
            SafetensorsEntry? last = Tensors.IsEmpty ? null : Tensors[^1];
            if (RandomAccess.GetLength(_handle) < DataStart + (last is null ? 0 : last.Offset + last.ByteLength))
                throw new CheckpointException($"'{FilePath}' became shorter after it was opened.", FilePath);
            byte* pointer = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
            return _base = pointer + _view.PointerOffset;
        }
    }
}
