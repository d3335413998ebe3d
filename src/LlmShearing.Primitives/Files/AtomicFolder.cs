// A folder that appears under its name complete, or not at all.
namespace LlmShearing.Files;

/// <summary>A folder that appears under its name complete, or not at all. Used by one thread at a time; not committed, it is deleted on disposal.</summary>
public sealed class AtomicFolder : IDisposable
{
    private readonly string _target;
    private readonly string _marker;
    private readonly bool _overwrite;
    private readonly Guid _id;
    private readonly FileStream _lock;
    private bool _committed;

    private AtomicFolder(string target, Guid id, FileStream held, bool overwrite, string marker) =>
        (_target, _id, _lock, _overwrite, _marker, TemporaryPath) = (target, id, held, overwrite, marker, Leftovers.Beside(target, id, Leftovers.Temporary));

    /// <summary>The folder to write into.</summary>
    public string TemporaryPath { get; }

    /// <summary>Begins a folder.</summary>
    /// <param name="folder">The name that it will have.</param>
    /// <param name="overwrite">Whether a folder that is there may be replaced.</param>
    /// <param name="marker">File without which a folder that is there is not taken for one of this kind, and never replaced.</param>
    public static AtomicFolder Create(string folder, bool overwrite, string marker = "config.json")
    {
        string target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        Leftovers.Sweep(target);
        CheckTarget(target, overwrite, marker);
        string parent = Path.GetDirectoryName(target) ?? throw new CheckpointException($"'{folder}' is the root of a file system; give a folder in it.", folder);
        var id = Guid.NewGuid();
        FileStream? held = null;
        try
        {
            FileSteps.CreateFolder(parent);
            held = Leftovers.Hold(target, id);
            FileSteps.CreateFolder(Leftovers.Beside(target, id, Leftovers.Temporary));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (held is not null)
                Leftovers.Release(held);
            throw AtomicOutput.WriteError(folder, e);
        }
        catch
        {
            held?.Dispose();
            throw;
        }

        return new AtomicFolder(target, id, held, overwrite, marker);
    }

    /// <summary>Gives the folder its name. An old one takes the temporary name in the same step; where the system cannot, it is moved aside first, and the next writer brings it back if need be. It is deleted last.</summary>
    public void Commit()
    {
        CheckTarget(_target, _overwrite, _marker);
        try
        {
            string? old = null;
            if (Directory.Exists(_target))
                old = FileSteps.TryExchange(TemporaryPath, _target) ? TemporaryPath : Replace();
            else
                FileSteps.MoveFolder(TemporaryPath, _target);
            _committed = true;
            if (old is not null)
                FileSteps.DeleteFolder(old);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw _committed
                ? new CheckpointException($"'{_target}' was written, but the folder that it replaces could not be deleted: {e.Message}", _target, e)
                : AtomicOutput.WriteError(_target, e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            if (!_committed && Directory.Exists(TemporaryPath))
                FileSteps.DeleteFolder(TemporaryPath);
            if (!Directory.Exists(TemporaryPath))
                Leftovers.Release(_lock);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The error that brought us here is the one to report.
        }
        finally
        {
            _lock.Dispose();
        }
    }

    private string Replace()
    {
        string old = Leftovers.Beside(_target, _id, Leftovers.Old);
        FileSteps.MoveFolder(_target, old);
        try
        {
            FileSteps.MoveFolder(TemporaryPath, _target);
        }
        catch
        {
            FileSteps.MoveFolder(old, _target);
            throw;
        }

        return old;
    }

    private static void CheckTarget(string target, bool overwrite, string marker)
    {
        if (File.Exists(target))
            throw new CheckpointException($"'{target}' is a file. Give a folder that does not exist yet.", target);
        if (!Directory.Exists(target) || !Directory.EnumerateFileSystemEntries(target).Any())
            return;
        if (!overwrite)
            throw new CheckpointException($"'{target}' exists and is not empty. Give another folder, or allow overwriting.", target);
        // Replacing deletes whatever is there, so it must at least look like what replaces it.
        if (!File.Exists(Path.Combine(target, marker)))
            throw new CheckpointException($"'{target}' exists and has no {marker}, so it is no checkpoint folder and will not be replaced. Give another folder.", target);
    }
}
