// The checkpoints of a run: written under a temporary name and renamed, with a checksum for every file, so that one that has its name and
// its checksums is whole, whatever happened while it was written.
using System.Text.Json;
using LlmShearing.Files;
using LlmShearing.Json;

namespace LlmShearing.Training.Runs;

/// <summary>A checkpoint to write.</summary>
internal sealed record CheckpointContent(TrainingState State, IReadOnlyList<NamedTensor> Weights, IReadOnlyList<NamedTensor> Optimizer);

internal sealed class CheckpointStore(string runFolder, OutputFiles files)
{
    public const string Weights = "weights.safetensors", Optimizer = "optimizer.safetensors", State = "state.json", Checksums = "checksums.json";
    private const string Prefix = "step-", Unfinished = ".writing-", Replaced = ".replaced-", Dropped = ".dropped-";
    private const int MaxSmallFile = 64 << 20;

    public string Folder { get; } = Path.Combine(runFolder, "checkpoints");

    public string PathOf(long step) => Path.Combine(Folder, Name(step));

    /// <summary>Steps that have a checkpoint, oldest first; whether they are whole is seen by reading them.</summary>
    public IReadOnlyList<long> Steps() => !Directory.Exists(Folder)
        ? []
        : [.. Directory.EnumerateDirectories(Folder).Select(d => StepOf(Path.GetFileName(d))).OfType<long>().Order()];

    /// <summary>Takes away what a process that was killed left half-written, and brings back what it was about to replace.</summary>
    public void CleanUp()
    {
        if (!Directory.Exists(Folder))
            return;
        foreach (string path in Directory.GetDirectories(Folder, ".*"))
        {
            string name = Path.GetFileName(path);
            if (name.StartsWith(Replaced, StringComparison.Ordinal) && StepOf(name[Replaced.Length..]) is { } step && !Directory.Exists(PathOf(step)))
                FileSteps.MoveFolder(path, PathOf(step));
            else if (name.StartsWith(Unfinished, StringComparison.Ordinal) || name.StartsWith(Replaced, StringComparison.Ordinal) || name.StartsWith(Dropped, StringComparison.Ordinal))
                FileSteps.DeleteFolder(path);
        }
    }

    /// <summary>Writes a checkpoint; one of the same step is replaced.</summary>
    /// <exception cref="CheckpointException">It cannot be written; nothing is left of it, and the others are as they were.</exception>
    public void Write(CheckpointContent content)
    {
        string target = PathOf(content.State.Step), temporary = Path.Combine(Folder, Unfinished + Name(content.State.Step));
        try
        {
            FileSteps.CreateFolder(temporary);
            TensorFile.Write(Path.Combine(temporary, Weights), content.Weights, files);
            TensorFile.Write(Path.Combine(temporary, Optimizer), content.Optimizer, files);
            AtomicOutput.WriteAll(Path.Combine(temporary, State), content.State.ToJson(), flushToDisk: true, files);
            var sums = new SortedDictionary<string, CheckpointFile>(StringComparer.Ordinal);
            foreach (string name in new[] { Weights, Optimizer, State })
                sums[name] = Measure(Path.Combine(temporary, name));
            byte[] json = JsonSerializer.SerializeToUtf8Bytes(sums, TrainingJson.Default.SortedDictionaryStringCheckpointFile);
            AtomicOutput.WriteAll(Path.Combine(temporary, Checksums), json, flushToDisk: true, files);
            string? old = null;
            if (Directory.Exists(target))
                FileSteps.MoveFolder(target, old = Path.Combine(Folder, Replaced + Name(content.State.Step)));
            FileSteps.MoveFolder(temporary, target);
            if (old is not null)
                FileSteps.DeleteFolder(old);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Discard(temporary);
            throw AtomicOutput.WriteError(target, e);
        }
        catch (CheckpointException)
        {
            Discard(temporary);
            throw;
        }
    }

    /// <summary>Reads the state of a checkpoint after checking the sums of all its files.</summary>
    /// <exception cref="FormatException">It is damaged; the message says how.</exception>
    public TrainingState ReadVerified(long step)
    {
        string folder = PathOf(step);
        try
        {
            SortedDictionary<string, CheckpointFile> sums =
                SafeJson.Read(Small(Path.Combine(folder, Checksums)), TrainingJson.Default.SortedDictionaryStringCheckpointFile)
                ?? throw new FormatException($"{Checksums} is null");
            foreach (string name in new[] { Weights, Optimizer, State })
            {
                CheckpointFile expected = sums.GetValueOrDefault(name) ?? throw new FormatException($"{Checksums} does not name {name}");
                long bytes = FileFacts.Length(Path.Combine(folder, name));
                if (bytes != expected.Bytes)
                    throw new FormatException($"{name} has {bytes} bytes, expected {expected.Bytes}");
                if (Measure(Path.Combine(folder, name)).Crc32c != expected.Crc32c)
                    throw new FormatException($"{name} has another checksum than when it was written");
            }

            return ReadState(step);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new FormatException(e.Message, e);
        }
    }

    /// <summary>Reads the state of a checkpoint without looking at its tensors.</summary>
    /// <exception cref="FormatException">It cannot be read; the message says why.</exception>
    public TrainingState ReadState(long step)
    {
        try
        {
            TrainingState state = TrainingState.FromJson(Small(Path.Combine(PathOf(step), State)));
            return state.Step == step ? state : throw new FormatException($"{State} is of step {state.Step}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FormatException(e.Message, e);
        }
    }

    /// <summary>Takes a damaged checkpoint out of the way under another name.</summary>
    public void SetAside(long step)
    {
        string aside = Path.Combine(Folder, "damaged-" + Name(step));
        if (Directory.Exists(aside))
            FileSteps.DeleteFolder(aside);
        FileSteps.MoveFolder(PathOf(step), aside);
    }

    /// <summary>Deletes all checkpoints but the newest ones and one more.</summary>
    /// <param name="newest">How many of the newest are kept.</param>
    /// <param name="best">Step of one more that is kept, or null.</param>
    public void Prune(int newest, long? best)
    {
        foreach (long step in Steps().SkipLast(newest).Where(s => s != best))
        {
            // Renamed first: half a folder must not look like a checkpoint.
            string dropped = Path.Combine(Folder, Dropped + Name(step));
            FileSteps.MoveFolder(PathOf(step), dropped);
            FileSteps.DeleteFolder(dropped);
        }
    }

    private static CheckpointFile Measure(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        byte[] buffer = new byte[1 << 20];
        uint crc = 0;
        long bytes = 0;
        for (int n = file.Read(buffer); n > 0; n = file.Read(buffer))
            (crc, bytes) = (Crc32C.Compute(buffer.AsSpan(0, n), crc), bytes + n);
        return new CheckpointFile(bytes, crc);
    }

    private static byte[] Small(string path) => FileFacts.Length(path) <= MaxSmallFile
        ? File.ReadAllBytes(path)
        : throw new FormatException($"{Path.GetFileName(path)} has more than {MaxSmallFile} bytes");

    private static void Discard(string folder)
    {
        try
        {
            FileSteps.DeleteFolder(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What brought us here is the error to report; the next start cleans up.
        }
    }

    private static string Name(long step) => $"{Prefix}{step:d8}";

    private static long? StepOf(string name) =>
        name.StartsWith(Prefix, StringComparison.Ordinal)
        && long.TryParse(name.AsSpan(Prefix.Length), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out long step)
        && name == Name(step)
            ? step
            : null;
}
