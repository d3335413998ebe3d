// What of a domain is finished, so that a run that was stopped goes on where it was. Lines of JSON, only ever appended; the last
// checkpoint that is whole counts, whatever comes after it was lost with the run.
using System.Text;
using System.Text.Json.Nodes;
using LlmShearing.Data.Rows;
using LlmShearing.Files;
using LlmShearing.Json;

namespace LlmShearing.Data.Corpus;

/// <param name="Sources">Finished source files.</param>
/// <param name="Shard">Index of the shard being written.</param>
/// <param name="RowsInShard">Its rows.</param>
/// <param name="Waiting">Ids carried over to the next file.</param>
internal sealed record DomainCheckpoint(IReadOnlyList<TokenSource> Sources, int Shard, long RowsInShard, int[] Waiting);

internal sealed class DomainJournal : IDisposable
{
    public const string FileName = "progress.jsonl";
    private const int SumLength = 9;

    private readonly FileStream _stream;
    private readonly List<TokenSource> _pending = [];

    private DomainJournal(FileStream stream) => _stream = stream;

    public static DomainJournal Begin(string path, JsonObject settings)
    {
        var journal = new DomainJournal(FileSteps.Create(path, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.Read }));
        journal.Append(new JsonObject { ["settings"] = settings.DeepClone() });
        return journal;
    }

    public static DomainJournal Continue(string path) => new(FileSteps.Create(path, new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.Read }));

    /// <summary>Reads the last whole checkpoint; cuts off what follows it.</summary>
    /// <returns>Null when there is none. The settings are null when not even they are whole.</returns>
    /// <exception cref="TokenDataException">It cannot be read or cut.</exception>
    public static (JsonObject? Settings, DomainCheckpoint? Checkpoint) Recover(string path)
    {
        try
        {
            return ReadAndCut(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenDataException($"The progress of an earlier run cannot be read: {e.Message} Remove '{path}' to begin again.", e);
        }
    }

    private static (JsonObject? Settings, DomainCheckpoint? Checkpoint) ReadAndCut(string path)
    {
        JsonObject? settings = null;
        DomainCheckpoint? checkpoint = null;
        var sources = new List<TokenSource>();
        long good = 0;
        long at = 0;
        foreach (byte[] line in WholeLines(path))
        {
            at += line.Length + 1;
            if (line.Length < SumLength || !line.AsSpan(^SumLength..).SequenceEqual(Sum(line.AsSpan(..^SumLength))))
                break;
            try
            {
                StrictJson.Read(new MemoryStream(line, 0, line.Length - SumLength), path, (message, cause) => new TokenDataException(message, cause), json =>
                {
                    if (json.Has("settings"))
                        (settings, good) = (json.Node("settings"), at);
                    else if (json.Has("source"))
                        sources.Add(TokenSource.Read(json.Object("source")));
                    else
                    {
                        StrictJson place = json.Object("checkpoint");
                        checkpoint = new DomainCheckpoint([.. sources], place.Int("shard", 0, int.MaxValue), place.Long("rows", 0), Ids(place.Text("waiting")));
                        good = at;
                    }

                    return true;
                });
            }
            catch (TokenDataException)
            {
                break;
            }
        }

        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write))
            stream.SetLength(good);
        return (settings, checkpoint);
    }

    /// <summary>Notes a finished file; it counts from the next checkpoint on.</summary>
    public void Add(TokenSource source) => _pending.Add(source);

    /// <summary>Notes the place behind the files added so far. What is written to shards must be on the disk by now.</summary>
    public void Checkpoint(int shard, long rows, ReadOnlySpan<int> waiting)
    {
        foreach (TokenSource source in _pending)
            Append(new JsonObject { ["source"] = source.Json() });
        _pending.Clear();
        Append(new JsonObject
        {
            ["checkpoint"] = new JsonObject
            {
                ["shard"] = shard,
                ["rows"] = rows,
                ["waiting"] = Convert.ToBase64String(System.Runtime.InteropServices.MemoryMarshal.AsBytes(waiting)),
            },
        });
        _stream.Flush(flushToDisk: true);
    }

    public void Dispose() => _stream.Dispose();

    private static int[] Ids(string base64)
    {
        byte[] bytes = Convert.FromBase64String(base64);
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(bytes).ToArray();
    }

    private static IEnumerable<byte[]> WholeLines(string path)
    {
        byte[] all = File.ReadAllBytes(path);
        for (int start = 0, end; (end = Array.IndexOf(all, (byte)'\n', start)) >= 0; start = end + 1)
            yield return all[start..end];
    }

    private void Append(JsonObject line)
    {
        byte[] text = Encoding.UTF8.GetBytes(line.ToJsonString());
        _stream.Write([.. text, .. Sum(text), (byte)'\n']);
    }

    // A line ends in a space and its checksum in 8 digits: a damaged line is lost as one that was never written, with what comes after it.
    private static byte[] Sum(ReadOnlySpan<byte> text) => Encoding.ASCII.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $" {Crc32C.Compute(text):x8}"));
}
