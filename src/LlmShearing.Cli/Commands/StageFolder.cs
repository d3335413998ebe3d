// A work folder of a command that runs several verbs: what was asked for, and the result of each stage that is done, so that the same command goes on.
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmShearing.Cli;

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
        string file = this[name + ".json"];
        if (File.Exists(file))
            return Read(file);
        JsonElement result = work();
        if (!IsInterrupted(result))
            OutputFile.Write(file, w => w.Write(result.GetRawText()));
        return result;
    }

    /// <summary>Whether a training verb says that it was interrupted.</summary>
    public static bool IsInterrupted(JsonElement result) =>
        result.TryGetProperty("stop", out JsonElement stop) && stop.GetString() == "interrupted";

    private static JsonElement Read(string file)
    {
        using JsonDocument document = JsonDocument.Parse(InputFile.Text(file));
        return document.RootElement.Clone();
    }
}
