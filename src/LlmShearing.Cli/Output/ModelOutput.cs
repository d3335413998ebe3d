// The folder that a verb writes. Where there is one already that may not be replaced, the work goes into a folder beside it and the two are compared: a command that
// was killed when all was written ends well when it is given again.
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Terminal;
using LlmShearing.Files;

namespace LlmShearing.Cli.Output;

internal sealed class ModelOutput : IDisposable
{
    private readonly FileStream? _lock;

    private ModelOutput(string folder, string path, FileStream? held) => (Folder, Path, _lock) = (folder, path, held);

    /// <summary>The folder as the user named it.</summary>
    public string Folder { get; }

    /// <summary>Where to write.</summary>
    public string Path { get; }

    /// <summary>Whether there is a folder already, to which the work is compared.</summary>
    public bool IsCheck => _lock is not null;

    /// <summary>Looks at the folder before any work is done; what killed processes left of it goes.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="force">Whether it may be replaced.</param>
    /// <param name="marker">File without which a folder that is there cannot be the result of the verb.</param>
    /// <exception cref="UsageException">It is a file, or has something else in it and may not be replaced.</exception>
    public static ModelOutput Open(string folder, bool force, string marker = "config.json")
    {
        if (File.Exists(folder))
            throw new UsageException($"'{folder}' is a file. Give a folder name.");
        Leftovers.Sweep(folder);
        if (force || !Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any())
            return new ModelOutput(folder, folder, null);
        if (!File.Exists(System.IO.Path.Combine(folder, marker)))
            throw Taken(folder, "");
        string full = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(folder));
        var id = Guid.NewGuid();
        try
        {
            return new ModelOutput(folder, System.IO.Path.Combine(Leftovers.Beside(full, id, Leftovers.Check), System.IO.Path.GetFileName(full)), Leftovers.Hold(full, id));
        }
        catch (UnauthorizedAccessException)
        {
            throw Taken(folder, "");
        }
    }

    /// <summary>Refuses at once when the folder that is there has a model of another size.</summary>
    public void Expect(LlamaShape shape)
    {
        if (!IsCheck)
            return;
        LlamaShape there = ModelFolder.Config(Folder).Shape;
        if ((there.VocabSize, there.HiddenSize, there.Layers.Length) != (shape.VocabSize, shape.HiddenSize, shape.Layers.Length) || (there.IsUniform && shape.IsUniform && !there.Layers.SequenceEqual(shape.Layers)))
            throw Taken(Folder, " and has a model of another shape");
    }

    /// <summary>To be called when everything is written.</summary>
    /// <exception cref="UsageException">What is there is something else.</exception>
    public void Finish(Invocation run)
    {
        if (!IsCheck)
            return;
        if (FolderContent.Difference(Folder, Path) is { } difference)
            throw Taken(Folder, $" and is not what this command writes: {difference}");
        run.Note($"'{Folder}' is complete: it holds exactly what this command writes. Nothing was changed.");
    }

    /// <summary>The refusal of a folder that is there.</summary>
    public static UsageException Taken(string folder, string why) =>
        new($"'{folder}' exists already{why}. Choose another name, or give --force to replace it.");

    public void Dispose()
    {
        if (_lock is null)
            return;
        try
        {
            if (System.IO.Path.GetDirectoryName(Path) is { } check && Directory.Exists(check))
                FileSteps.DeleteFolder(check);
            Leftovers.Release(_lock);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Left for the next one.
        }
        finally
        {
            _lock.Dispose();
        }
    }
}
