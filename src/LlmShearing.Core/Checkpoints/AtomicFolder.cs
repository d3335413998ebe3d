// A folder that appears under its name complete, or not at all.
namespace LlmShearing;

internal sealed class AtomicFolder : IDisposable
{
    private readonly string _target;
    private readonly string _marker;
    private readonly bool _overwrite;
    private bool _committed;

    private AtomicFolder(string target, string temporary, bool overwrite, string marker) =>
        (_target, TemporaryPath, _overwrite, _marker) = (target, temporary, overwrite, marker);

    /// <summary>The folder to write into.</summary>
    public string TemporaryPath { get; }

    /// <summary>Begins a folder.</summary>
    /// <param name="folder">The name that it will have.</param>
    /// <param name="overwrite">Whether a folder that is there may be replaced.</param>
    /// <param name="marker">File without which a folder that is there is not taken for one of this kind, and never replaced.</param>
    public static AtomicFolder Create(string folder, bool overwrite, string marker = "config.json")
    {
        string target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        CheckTarget(target, overwrite, marker);
        string parent = Path.GetDirectoryName(target) ?? throw new CheckpointException($"'{folder}' is the root of a file system; give a folder in it.", folder);
        string temporary = Sibling(target, "tmp");
        try
        {
            Directory.CreateDirectory(parent);
            Directory.CreateDirectory(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AtomicOutput.WriteError(folder, e);
        }

        return new AtomicFolder(target, temporary, overwrite, marker);
    }

    /// <summary>Gives the folder its name. An old one is moved aside first and deleted last, so that a failure brings it back.</summary>
    public void Commit()
    {
        CheckTarget(_target, _overwrite, _marker);
        try
        {
            string? old = null;
            if (Directory.Exists(_target))
                Directory.Move(_target, old = Sibling(_target, "old"));
            try
            {
                Directory.Move(TemporaryPath, _target);
            }
            catch
            {
                if (old is not null)
                    Directory.Move(old, _target);
                throw;
            }

            _committed = true;
            if (old is not null)
                Directory.Delete(old, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw _committed
                ? new CheckpointException($"'{_target}' was written, but the folder that it replaces could not be deleted: {e.Message}", _target, e)
                : AtomicOutput.WriteError(_target, e);
        }
    }

    public void Dispose()
    {
        if (_committed || !Directory.Exists(TemporaryPath))
            return;
        try
        {
            Directory.Delete(TemporaryPath, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The error that brought us here is the one to report.
        }
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

    private static string Sibling(string target, string kind) =>
        Path.Combine(Path.GetDirectoryName(target)!, $".{Path.GetFileName(target)}.{Guid.NewGuid():N}.{kind}");
}
