// A file that exists completely or not at all: written under a temporary name in the same folder, then renamed over the target, so that
// readers that hold the old file open keep it.
namespace LlmShearing;

/// <summary>How output files are opened; tests put failing streams here.</summary>
internal sealed class OutputFiles
{
    public static OutputFiles Default { get; } = new();

    /// <summary>Opens a new file for writing, unbuffered, with the length it will have.</summary>
    public Func<string, long, Stream> Create { get; init; } = (path, length) => FileSteps.Create(path, new FileStreamOptions
    {
        Mode = FileMode.CreateNew,
        Access = FileAccess.ReadWrite,
        Share = Leftovers.Share,
        BufferSize = 0,
        PreallocationSize = length, // a disk that is too full says so now, not after an hour
    });
}

internal sealed class AtomicOutput : IDisposable
{
    private readonly string _path, _temporary;
    private readonly bool _flushToDisk;
    private bool _closed;

    private AtomicOutput(string path, string temporary, Stream stream, bool flushToDisk) =>
        (_path, _temporary, Stream, _flushToDisk) = (path, temporary, stream, flushToDisk);

    public Stream Stream { get; }

    public static AtomicOutput Create(string path, long length, bool flushToDisk, OutputFiles files)
    {
        string full = Path.GetFullPath(path);
        Leftovers.Sweep(full);
        string temporary = Leftovers.Beside(full, Guid.NewGuid(), Leftovers.Temporary);
        try
        {
            return new AtomicOutput(full, temporary, files.Create(temporary, length), flushToDisk);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            TryDelete(temporary);
            throw WriteError(path, e);
        }
    }

    /// <summary>Writes a whole small file.</summary>
    public static void WriteAll(string path, ReadOnlySpan<byte> content, bool flushToDisk, OutputFiles files)
    {
        using AtomicOutput file = Create(path, content.Length, flushToDisk, files);
        try
        {
            file.Stream.Write(content);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw WriteError(path, e);
        }

        file.Commit();
    }

    public static CheckpointException WriteError(string path, Exception cause) =>
        new($"'{path}' cannot be written: {cause.Message} Nothing was left there.", path, cause);

    public void Commit()
    {
        try
        {
            if (_flushToDisk && Stream is FileStream file)
                file.Flush(flushToDisk: true);
            if (Stream is FileStream)
            {
                // Renamed while it is open: its lock says that it is not left over.
                FileSteps.MoveFile(_temporary, _path);
                _closed = true;
                Stream.Dispose();
                return;
            }

            _closed = true;
            Stream.Dispose();
            FileSteps.MoveFile(_temporary, _path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            TryDelete(_temporary);
            throw WriteError(_path, e);
        }
    }

    public void Dispose()
    {
        if (_closed)
            return;
        _closed = true;
        try
        {
            Stream.Dispose();
        }
        catch (IOException)
        {
            // The file goes away; an error while closing it says nothing more.
        }

        TryDelete(_temporary);
    }

    private static void TryDelete(string path)
    {
        try
        {
            FileSteps.DeleteFile(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The original error is the one to report.
        }
    }
}
