// A work folder of a command that runs several verbs: what was asked for, and the result of each stage that is done, so that the same command goes on.
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Files;
using LlmShearing.Json;

namespace LlmShearing.Cli.Commands;

/// <param name="Path">The folder.</param>
internal sealed record StageFolder(string Path)
{
    private const string Request = "request.json";

    /// <summary>Opens or begins the folder.</summary>
    /// <exception cref="UsageException">It belongs to another request.</exception>
    public static StageFolder Open(string path, JsonObject request)
    {
        var folder = new StageFolder(path);
        string file = folder[Request], wanted = request.ToJsonString();
        if (File.Exists(file) && InputFile.Text(file) != wanted)
            throw new UsageException($"'{path}' belongs to another command ({file} has it). Remove that folder, or choose another --out.");
        FileSteps.CreateFolder(path);
        OutputFile.Write(file, w => w.Write(wanted));
        return folder;
    }

    /// <summary>Refuses a target that is there, unless it may be replaced or the stages before it are done: then what writes it says whether it is theirs.</summary>
    /// <param name="target">The result of all stages.</param>
    /// <param name="force">Whether it may be replaced.</param>
    /// <param name="work">The work folder.</param>
    /// <param name="lastStage">Name of the stage before the target is written.</param>
    public static void EnsureFree(string target, bool force, string work, string lastStage)
    {
        using ModelOutput output = ModelOutput.Open(target, force);
        if (output.IsCheck && !File.Exists(new StageFolder(work)[lastStage + ".json"]))
            throw ModelOutput.Taken(target, "");
    }

    /// <summary>Path of a file or folder in it.</summary>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>The result of a stage, from its file when it is done.</summary>
    /// <param name="name">Name of the stage.</param>
    /// <param name="work">Does it.</param>
    public JsonElement Stage(string name, Func<JsonElement> work)
    {
        if (Result(name) is { } done)
            return done;
        JsonElement result = work();
        if (!IsInterrupted(result))
            OutputFile.Write(FileOf(name), w => w.Write($"{{\"sha256\":\"{Sum(result)}\",\"result\":{result.GetRawText()}}}"));
        return result;
    }

    /// <summary>Whether a training verb says that it was interrupted.</summary>
    public static bool IsInterrupted(JsonElement result) =>
        result.TryGetProperty("stop", out JsonElement stop) && stop.ValueKind == JsonValueKind.String && stop.Text() == "interrupted";

    /// <summary>The result of a stage that is done; null for one that is not.</summary>
    /// <exception cref="UsageException">Its file is not as it was written.</exception>
    public JsonElement? Result(string name)
    {
        string file = FileOf(name);
        if (!File.Exists(file))
            return null;
        try
        {
            JsonElement stored = SafeJson.Element(InputFile.Text(file), new JsonDocumentOptions { AllowDuplicateProperties = false });
            return stored.ValueKind == JsonValueKind.Object
                && stored.TryGetProperty("result", out JsonElement result) && result.ValueKind == JsonValueKind.Object
                && stored.TryGetProperty("sha256", out JsonElement sum) && sum.ValueKind == JsonValueKind.String && sum.Text() == Sum(result)
                    ? result
                    : throw Damaged(file, "its content does not have the checksum that was written with it.", null);
        }
        catch (JsonException e)
        {
            throw Damaged(file, e.Message, e);
        }
    }

    private string FileOf(string stage) => this[stage + ".json"];

    private static string Sum(JsonElement result) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(result.GetRawText())));

    private static UsageException Damaged(string file, string why, Exception? cause) =>
        new($"{file} is damaged: {why.TrimEnd('.')}. Delete it and give the same command again: the stage goes on from its last checkpoint.", cause);
}
