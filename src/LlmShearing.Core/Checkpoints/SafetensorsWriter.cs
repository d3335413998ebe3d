// Writes one safetensors file in a stream, tensor after tensor, with bounded memory. The file appears under its name only when it is
// complete; until then it is a temporary file beside it, which goes away when anything fails.
using System.Collections.Immutable;
using LlmShearing.Files;

namespace LlmShearing.Checkpoints;

/// <summary>Writes a safetensors file with the bytes that the reference implementation would write. Give names, types and shapes first, then the data in <see cref="Tensors"/> order; tensors without elements are passed over.</summary>
public sealed class SafetensorsWriter : IDisposable
{
    private readonly SafetensorsLayout _layout;
    private readonly AtomicOutput _file;
    private readonly Stream _stream;
    private readonly string _path;
    private int _current;
    private long _written;
    private bool _completed;

    private SafetensorsWriter(SafetensorsLayout layout, AtomicOutput file, string path)
    {
        (_layout, _file, _stream, _path) = (layout, file, file.Stream, path);
        Emit(layout.Header);
        SkipEmpty();
    }

    /// <summary>The tensors in the order in which their data must be written: widest type first, then by name.</summary>
    public ImmutableArray<SafetensorsEntry> Tensors => _layout.Entries;

    /// <summary>The tensor whose data is written next; null when all data is there.</summary>
    public SafetensorsEntry? Current => _current < Tensors.Length ? Tensors[_current] : null;

    /// <summary>Begins a file. It is written under a temporary name in the same folder.</summary>
    /// <param name="path">The file; replaced when it exists.</param>
    /// <param name="tensors">Names, types and shapes, in any order.</param>
    /// <param name="metadata">Free text map; default <c>format: pt</c>, which Hugging Face loaders ask for.</param>
    /// <param name="flushToDisk">Whether <see cref="Complete"/> waits until the bytes are on the device; default false.</param>
    /// <returns>The writer. Dispose it without <see cref="Complete"/> and nothing is left.</returns>
    /// <exception cref="ArgumentException">A name is empty or given twice, or a shape is not possible.</exception>
    /// <exception cref="CheckpointException">The file cannot be created, for example because the disk is too full for it.</exception>
    public static SafetensorsWriter Create(
        string path, IEnumerable<SafetensorsEntry> tensors, IReadOnlyDictionary<string, string>? metadata = null, bool flushToDisk = false) =>
        Create(path, tensors, metadata, flushToDisk, OutputFiles.Default);

    /// <summary>Writes small tensors in one go.</summary>
    /// <param name="path">The file; replaced when it exists.</param>
    /// <param name="tensors">Name, type, shape and little-endian bytes of every tensor.</param>
    /// <param name="metadata">Free text map; default <c>format: pt</c>.</param>
    /// <exception cref="CheckpointException">The file cannot be written.</exception>
    public static void WriteAll(
        string path,
        IEnumerable<(string Name, SafetensorsDtype Dtype, ImmutableArray<long> Shape, ReadOnlyMemory<byte> Data)> tensors,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        (string Name, SafetensorsDtype Dtype, ImmutableArray<long> Shape, ReadOnlyMemory<byte> Data)[] all = [.. tensors];
        using SafetensorsWriter writer = Create(path, all.Select(t => new SafetensorsEntry(t.Name, t.Dtype, t.Shape)), metadata);
        Dictionary<string, ReadOnlyMemory<byte>> data = all.ToDictionary(t => t.Name, t => t.Data, StringComparer.Ordinal);
        foreach (SafetensorsEntry entry in writer.Tensors.Where(e => e.ByteLength > 0))
            writer.Write(entry.Name, data[entry.Name].Span);
        writer.Complete();
    }

    /// <summary>Writes the next bytes of a tensor.</summary>
    /// <param name="name">The current tensor; a check that the data comes in the right order.</param>
    /// <param name="data">Little-endian, row-major; any part of what the tensor still needs.</param>
    /// <exception cref="InvalidOperationException">It is another tensor's turn, or the tensor has no room for so many bytes.</exception>
    /// <exception cref="CheckpointException">The file cannot be written.</exception>
    public void Write(string name, ReadOnlySpan<byte> data)
    {
        Reserve(name, data.Length);
        Emit(data);
        Advance(data.Length);
    }

    /// <summary>Finishes the file and moves it to its name.</summary>
    /// <exception cref="InvalidOperationException">A tensor lacks data.</exception>
    /// <exception cref="CheckpointException">The file cannot be written or moved.</exception>
    public void Complete()
    {
        if (Current is SafetensorsEntry missing)
            throw new InvalidOperationException($"'{missing.Name}' has {_written} of {missing.ByteLength} bytes.");
        if (_completed)
            return;
        _completed = true;
        _file.Commit();
    }

    /// <summary>Closes the file; it is deleted when it was not completed.</summary>
    public void Dispose() => _file.Dispose();

    /// <summary>Begins a file that is opened in a given way.</summary>
    /// <param name="path">The file.</param>
    /// <param name="tensors">Names, types and shapes.</param>
    /// <param name="metadata">Texts for the header; may be null.</param>
    /// <param name="flushToDisk">Whether completing waits until the disk has it all.</param>
    /// <param name="files">How the file is opened.</param>
    /// <returns>The writer; dispose it.</returns>
    public static SafetensorsWriter Create(
        string path, IEnumerable<SafetensorsEntry> tensors, IReadOnlyDictionary<string, string>? metadata, bool flushToDisk, OutputFiles files)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tensors);
        SafetensorsLayout layout = SafetensorsLayout.Create(tensors, metadata, path);
        AtomicOutput file = AtomicOutput.Create(path, layout.FileLength, flushToDisk, files);
        try
        {
            return new SafetensorsWriter(layout, file, path);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Copies bytes of another file into the current tensor, inside the kernel where the system can.</summary>
    internal void CopyFrom(string name, SafetensorsReader source, long position, long length, byte[] buffer, CancellationToken cancellationToken)
    {
        Reserve(name, length);
        try
        {
            FileRangeCopy.Copy(source, position, _stream, length, buffer, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AtomicOutput.WriteError(_path, e);
        }

        Advance(length);
    }

    private void Reserve(string name, long length)
    {
        if (Current is not SafetensorsEntry current || current.Name != name)
            throw new InvalidOperationException($"'{name}' is not the tensor to be written now; {(Current is null ? "all data is there" : $"'{Current.Name}' is")}.");
        if (length > current.ByteLength - _written)
            throw new InvalidOperationException($"'{name}' has room for {current.ByteLength - _written} more bytes, but {length} were given.");
    }

    private void Advance(long length)
    {
        _written += length;
        if (_written < Tensors[_current].ByteLength)
            return;
        _current++;
        _written = 0;
        SkipEmpty();
    }

    private void SkipEmpty()
    {
        while (_current < Tensors.Length && Tensors[_current].ByteLength == 0)
            _current++;
    }

    private void Emit(ReadOnlySpan<byte> data)
    {
        try
        {
            _stream.Write(data);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AtomicOutput.WriteError(_path, e);
        }
    }
}
