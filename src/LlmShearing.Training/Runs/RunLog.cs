// log.jsonl: the curve of a run, one JSON object a line. What depends on the clock is in the member "time" alone, so that the rest of a run that
// was stopped and resumed equals that of one that was not.
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Files;
using LlmShearing.Json;

namespace LlmShearing.Training.Runs;

internal sealed class RunLog : IDisposable
{
    public const string FileName = "log.jsonl";
    private readonly FileStream _file;

    private RunLog(FileStream file) => _file = file;

    /// <summary>Opens the log to go on after a step, or, without one, from the beginning: later lines, and a last one that was cut, are taken away.</summary>
    /// <exception cref="TrainingException">The file cannot be opened.</exception>
    public static RunLog Open(string folder, long? step, out bool incomplete)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            var file = FileSteps.Create(path, new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.Read });
            (long length, long last) = Keep(file, step ?? -1);
            file.SetLength(length);
            file.Position = length;
            incomplete = last < 0 && step is > 0;
            return new RunLog(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainingException($"The log '{path}' cannot be opened: {e.Message}", e);
        }
    }

    /// <summary>Appends a line.</summary>
    /// <exception cref="TrainingException">The file cannot be written.</exception>
    public void Append(JsonObject line)
    {
        try
        {
            _file.Write(Encoding.UTF8.GetBytes(line.ToJsonString() + "\n"));
            _file.Flush();
        }
        catch (IOException e)
        {
            throw Error(e);
        }
    }

    /// <summary>Waits until all lines are on the device.</summary>
    /// <exception cref="TrainingException">The file cannot be written.</exception>
    public void FlushToDisk()
    {
        try
        {
            _file.Flush(flushToDisk: true);
        }
        catch (IOException e)
        {
            throw Error(e);
        }
    }

    public void Dispose() => _file.Dispose();

    private TrainingException Error(IOException e) => new($"The log '{_file.Name}' cannot be written: {e.Message}", e);

    // Bytes up to the first line that is cut, is no JSON, or belongs to a later step; and the step of the last line kept, -1 without one.
    private static (long Length, long Step) Keep(FileStream file, long step)
    {
        long length = 0, last = -1;
        using var reader = new BinaryReader(new BufferedStream(file, 1 << 16), Encoding.UTF8, leaveOpen: true);
        var line = new List<byte>();
        for (long at = 1; at <= file.Length; at++)
        {
            byte b = reader.ReadByte();
            if (b != '\n')
            {
                line.Add(b);
                continue;
            }

            if (StepOf(line) is not { } found || found > step)
                break;
            (length, last) = (at, found);
            line.Clear();
        }

        return (length, last);
    }

    private static long? StepOf(List<byte> line)
    {
        try
        {
            return SafeJson.Node(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(line), new JsonDocumentOptions { AllowDuplicateProperties = false }) is JsonObject o && o["step"] is JsonValue v && v.TryGetValue(out long step) ? step : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
