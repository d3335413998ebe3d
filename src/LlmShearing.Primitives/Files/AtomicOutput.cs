// A file that exists completely or not at all: written under a temporary name in the same folder, then renamed over the target, so that
// readers that hold the old file open keep it.
namespace LlmShearing.Files;

/// <summary>A file that exists completely or not at all, for writers that need the stream. Used by one thread at a time; not committed, it is deleted on disposal.</summary>
public sealed class AtomicOutput : IDisposable
{
    private readonly string _path, _temporary;
    private readonly bool _flushToDisk;
    private bool _closed;

    private AtomicOutput(string path, string temporary, Stream stream, bool flushToDisk) =>
        (_path, _temporary, Stream, _flushToDisk) = (path, temporary, stream, flushToDisk);

    /// <summary>Where the content goes.</summary>
    public Stream Stream { get; }

    /// <summary>Begins a file under a temporary name beside its own.</summary>
    /// <param name="path">The name that it will have; a file that is there is replaced.</param>
    /// <param name="length">Bytes that will be written; the disk is asked for them at once.</param>
    /// <param name="flushToDisk">Whether <see cref="Commit"/> waits until the disk has it all.</param>
    /// <param name="files">How the file is opened.</param>
    /// <returns>To be committed, then disposed.</returns>
    /// <exception cref="CheckpointException">It cannot be created.</exception>
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

    /// <summary>The error for a file that cannot be written.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cause">What the system said.</param>
    /// <returns>The exception, to be thrown.</returns>
    public static CheckpointException WriteError(string path, Exception cause) =>
        new($"'{path}' cannot be written: {cause.Message} Nothing was left there.", path, cause);

    /// <summary>Gives the file its name.</summary>
    /// <exception cref="CheckpointException">It cannot be written or renamed; nothing is left.</exception>
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

    /// <inheritdoc/>
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
