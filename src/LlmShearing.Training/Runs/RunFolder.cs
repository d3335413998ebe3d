// The folder of a training run and the lock that keeps other processes out of it.
using System.Text.Json.Nodes;
using LlmShearing.Files;
using LlmShearing.Json;

namespace LlmShearing.Training.Runs;

/// <summary>
/// run.json (configuration, for people) · run.lock · log.jsonl · tensorboard/ · checkpoints/step-00000100/. The lock is one of the operating
/// system on the open file: it ends with the process, however that ends.
/// </summary>
internal sealed class RunFolder : IDisposable
{
    private const string DescriptionFile = "run.json";
    private readonly FileStream _lock;

    private RunFolder(string path, FileStream file) => (Path, _lock) = (path, file);

    public string Path { get; }

    public string TensorBoard => System.IO.Path.Combine(Path, "tensorboard");

    /// <summary>Creates the folder when it is absent, and takes it for this run.</summary>
    /// <exception cref="TrainingException">Another run is at work in it, or it cannot be written, or it holds something else.</exception>
    public static RunFolder Open(string folder)
    {
        string path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(folder));
        if (File.Exists(path))
            throw new TrainingException($"'{path}' is a file. Give a folder for the run.");
        string lockFile = System.IO.Path.Combine(path, "run.lock");
        try
        {
            if (Directory.Exists(path) && !File.Exists(lockFile) && Directory.EnumerateFileSystemEntries(path).Any())
                throw new TrainingException($"'{path}' is not empty and is no run folder. Give a folder that does not exist yet, or that of a run to go on with.");
            FileSteps.CreateFolder(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainingException($"The run folder '{path}' cannot be created: {e.Message}", e);
        }

        try
        {
            return new RunFolder(path, FileSteps.Create(lockFile, new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None }));
        }
        catch (IOException e)
        {
            throw new TrainingException($"The run folder '{path}' is in use: another run holds '{lockFile}'. Wait for it, stop it, or give another folder.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new TrainingException($"'{lockFile}' cannot be opened: {e.Message}", e);
        }
    }

    /// <summary>Writes run.json: what the run was last started with.</summary>
    /// <returns>The run.json that was there; null without one.</returns>
    /// <exception cref="TrainingException">It cannot be written.</exception>
    public JsonObject? Describe(JsonObject description)
    {
        string path = System.IO.Path.Combine(Path, DescriptionFile);
        JsonObject? before = ReadDescription(Path);
        try
        {
            AtomicFile.Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(description.ToJsonString(JsonFile.Indented) + "\n")));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainingException($"'{path}' cannot be written: {e.Message}", e);
        }

        return before;
    }

    /// <summary>The run.json of a folder. It is for people, so it may be edited or damaged; then, as without one, there is nothing to compare: null.</summary>
    public static JsonObject? ReadDescription(string folder)
    {
        string path = System.IO.Path.Combine(folder, DescriptionFile);
        try
        {
            return File.Exists(path) ? JsonFile.ReadObject(path) : null;
        }
        catch (CheckpointException)
        {
            return null;
        }
    }

    public void Dispose() => _lock.Dispose();
}
