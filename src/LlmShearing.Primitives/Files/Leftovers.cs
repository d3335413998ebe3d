// What is beside a target while it is written, and what a killed process leaves there. A name has the target's name and a number of 32 hex digits; a process holds
// a lock of the operating system on what it writes, which ends with it however it ends. So what has such a name and a free lock is ours and nobody's.
namespace LlmShearing.Files;

/// <summary>The names beside a target while it is written, and what a killed process leaves under them.</summary>
public static class Leftovers
{
    /// <summary>Kind of name: what is being written.</summary>
    public const string Temporary = "tmp";

    /// <summary>Kind of name: what is being replaced.</summary>
    public const string Old = "old";

    /// <summary>Kind of name: what was written and is being checked.</summary>
    public const string Check = "check";

    /// <summary>Kind of name: the lock that says that a process is at work.</summary>
    public const string Lock = "lock";

    private static readonly string[] Kinds = [Temporary, Old, Check, Lock];

    /// <summary>A name beside <paramref name="target"/>.</summary>
    public static string Beside(string target, Guid id, string kind) => Path.Combine(Path.GetDirectoryName(target)!, $".{Path.GetFileName(target)}.{id:N}.{kind}");

    /// <summary>How temporary files are opened: no other process can open them, but on Windows they can be renamed meanwhile (elsewhere they always can).</summary>
    public static FileShare Share => OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None;

    /// <summary>Takes the lock of a new set of names. It is to be released by <see cref="Release"/>.</summary>
    public static FileStream Hold(string target, Guid id) =>
        FileSteps.Create(Beside(target, id, Lock), new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = Share, BufferSize = 0 });

    /// <summary>Removes a lock file while it is held, so that nobody can take it in between.</summary>
    public static void Release(FileStream held)
    {
        try
        {
            FileSteps.DeleteFile(held.Name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Left for the next one.
        }
        finally
        {
            held.Dispose();
        }
    }

    /// <summary>Removes what killed processes left of writing <paramref name="target"/>, and brings back a folder that one had moved aside. What cannot be removed stays.</summary>
    public static void Sweep(string target)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        if (Path.GetDirectoryName(full) is { } parent)
            Sweep(parent, name => name == Path.GetFileName(full));
    }

    /// <summary>The same for many targets in one folder.</summary>
    /// <param name="folder">The folder; need not be there.</param>
    /// <param name="isTarget">Whether a name is that of a target.</param>
    public static void Sweep(string folder, Func<string, bool> isTarget)
    {
        if (!Directory.Exists(folder) || LocksAreOff)
            return;
        try
        {
            foreach ((string target, Guid id) in Directory.EnumerateFileSystemEntries(folder, ".*").Select(p => Parse(Path.GetFileName(p))).OfType<(string, Guid)>().Distinct().ToArray())
                if (isTarget(target))
                    Sweep(Path.Combine(folder, target), id);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not what was asked for; the work itself says what is wrong with the folder, if anything.
        }
    }

    private static bool LocksAreOff =>
        (AppContext.TryGetSwitch("System.IO.DisableFileLocking", out bool off) && off)
        || Environment.GetEnvironmentVariable("DOTNET_SYSTEM_IO_DISABLEFILELOCKING") is "1" or "true" or "True";

    /// <summary>Whether a name is one of these, of any target.</summary>
    public static bool IsOne(string name) => Parse(name) is not null;

    private static (string Target, Guid Id)? Parse(string name)
    {
        string[] parts = name.Split('.');
        return parts.Length >= 4 && parts[0].Length == 0 && Kinds.Contains(parts[^1]) && Guid.TryParseExact(parts[^2], "N", out Guid id)
            ? (string.Join('.', parts[1..^2]), id)
            : null;
    }

    private static void Sweep(string target, Guid id)
    {
        string temporary = Beside(target, id, Temporary), old = Beside(target, id, Old), locked = Beside(target, id, Lock);
        bool isFile = File.Exists(temporary);
        if (!isFile && !File.Exists(locked))
        {
            // Nothing tells whose it is; but without the target it was moved aside to be replaced, and belongs back.
            if (Directory.Exists(old) && !Directory.Exists(target))
                FileSteps.MoveFolder(old, target);
            return;
        }

        if (TryHold(isFile ? temporary : locked) is not { } held)
            return;
        if (!isFile)
        {
            if (Directory.Exists(old) && !Directory.Exists(target))
                FileSteps.MoveFolder(old, target);
            foreach (string folder in new[] { temporary, old, Beside(target, id, Check) })
                if (Directory.Exists(folder))
                    FileSteps.DeleteFolder(folder);
        }

        Release(held);
    }

    private static FileStream? TryHold(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.ReadWrite, Share);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
