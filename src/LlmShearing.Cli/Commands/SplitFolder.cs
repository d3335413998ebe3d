// The output folder of `shear split`. What is to be written stands in it from the beginning, under a name that says that it is unfinished; so a split that was stopped
// or killed goes on with the same command, and no other command takes its place.
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Split;
using LlmShearing.Files;

namespace LlmShearing.Cli.Commands;

internal sealed class SplitFolder : IDisposable
{
    private const string Manifest = "split.json";
    private readonly string _unfinished;
    private readonly FileStream? _lock;

    private SplitFolder(string folder, string unfinished, FileStream? held) => (Folder, _unfinished, _lock) = (folder, unfinished, held);

    public string Folder { get; }

    public string ManifestPath => Path.Combine(Folder, Manifest);

    /// <summary>Whether the folder has a whole split already, to which the rows are to be compared.</summary>
    public bool IsComplete => _lock is null;

    /// <summary>Opens or begins the folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="plan">The split.</param>
    /// <param name="format">How rows are written.</param>
    /// <exception cref="UsageException">It holds another split, or another process writes one.</exception>
    public static SplitFolder Open(string folder, SplitPlan plan, string format)
    {
        string unfinished = Path.Combine(folder, $"split.{format}.part");
        if (File.Exists(Path.Combine(folder, Manifest)))
            return Same(SplitPlan.Load(Path.Combine(folder, Manifest)), plan)
                ? new SplitFolder(folder, unfinished, null)
                : throw new UsageException($"'{folder}' holds a split already, with other rows or sets. Choose another --out or remove it.");
        FileSteps.CreateFolder(folder);
        Leftovers.Sweep(unfinished);
        if (Directory.EnumerateFiles(folder, "split.*.part").FirstOrDefault(f => f != unfinished) is { } other)
            throw Another(other);
        if (!File.Exists(unfinished))
            plan.Save(unfinished);
        else if (!Same(SplitPlan.Load(unfinished), plan))
            throw Another(unfinished);
        try
        {
            return new SplitFolder(folder, unfinished, new FileStream(unfinished, FileMode.Open, FileAccess.ReadWrite, Leftovers.Share));
        }
        catch (IOException e)
        {
            throw new UsageException($"'{folder}' is in use: another process writes the split. Wait for it, or choose another --out.", e);
        }
    }

    /// <summary>Whether the folder is that of a split that was begun.</summary>
    public static bool IsBegun(string folder) => File.Exists(Path.Combine(folder, Manifest)) || (Directory.Exists(folder) && Directory.EnumerateFiles(folder, "split.*.part").Any());

    /// <summary>To be called when all rows are written.</summary>
    public void Finish()
    {
        if (_lock is null)
            return;
        FileSteps.MoveFile(_unfinished, ManifestPath);
        _lock.Dispose();
    }

    public void Dispose() => _lock?.Dispose();

    private static UsageException Another(string file) =>
        new($"'{file}' is of a split that was begun with other rows, sets or another --format. Give that command again, remove the folder, or choose another --out.");

    private static bool Same(SplitPlan a, SplitPlan b) =>
        a.Unit == b.Unit && a.Seed == b.Seed && a.Domains.Count == b.Domains.Count && a.Domains.Zip(b.Domains).All(p => Same(p.First, p.Second));

    private static bool Same(SplitDomain a, SplitDomain b) =>
        a.Name == b.Name && a.Rows == b.Rows && a.Sets.Keys.SequenceEqual(b.Sets.Keys) && a.Sets.Keys.All(s => a.Sets[s].SequenceEqual(b.Sets[s]))
        && a.Files.Count == b.Files.Count && a.Files.Keys.All(s => b.Files.TryGetValue(s, out IReadOnlyList<string>? files) && files.SequenceEqual(a.Files[s]));
}
