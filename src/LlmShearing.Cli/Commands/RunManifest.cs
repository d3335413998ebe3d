// manifest.json of `shear run`: what went in, what each stage said, and how mixture and losses went.
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Json;

namespace LlmShearing.Cli.Commands;

internal sealed class RunManifest(StageFolder stages, ShearingRecipe recipe, Invocation run)
{
    private const string FileName = "manifest.json";
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };
    private static readonly string[] Stages = ["learn", "continue", "source", "result"];

    /// <summary>Brings the file up to date. Inputs are hashed once.</summary>
    /// <param name="stage">What has just been done; null at the start.</param>
    public void Write(string? stage)
    {
        JsonObject manifest = Json(null);
        string path = stages[FileName];
        manifest["inputs"] = Known(path) ?? Inputs();
        if (stage is not null)
            manifest["last"] = stage;
        OutputFile.Write(path, w => w.Write(manifest.ToJsonString(new JsonSerializerOptions { WriteIndented = true })));
    }

    public JsonObject Json(string? target)
    {
        var results = new JsonObject();
        foreach (string stage in Stages)
            if (stages.Result(stage) is { } result)
                results[stage] = JsonObject.Create(result);
        return new JsonObject
        {
            ["library"] = LibraryVersion.Text,
            ["runtime"] = Environment.Version.ToString(),
            ["recipe"] = recipe.Json(),
            ["stages"] = results,
            ["evaluations"] = new JsonArray([.. Evaluations("learn"), .. Evaluations("continue")]),
            ["plan"] = Plan(),
            ["run"] = stages.Path,
            ["out"] = target,
        };
    }

    // The inputs of the manifest that is there. It is written anew from its sources when it is damaged: only the hashes take time.
    private JsonArray? Known(string path)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            return SafeJson.Node(InputFile.Text(path), Strict) is JsonObject known && known["inputs"] is JsonArray inputs && inputs.All(IsInput) ? (JsonArray)inputs.DeepClone() : null;
        }
        catch (Exception e) when (e is JsonException or UsageException)
        {
            run.Note($"{path} is damaged and is written anew: {e.Message}");
            return null;
        }

        static bool IsInput(JsonNode? node) =>
            node is JsonObject { Count: 3 } input && input["file"]?.GetValueKind() == JsonValueKind.String && input["bytes"]?.GetValueKind() == JsonValueKind.Number
            && input["sha256"] is JsonValue sum && sum.TryGetValue(out string? hex) && hex.Length == 64;
    }

    private JsonNode? Plan()
    {
        string plan = Path.Combine(stages["learn.run"], "plan.json");
        try
        {
            return File.Exists(plan) ? SafeJson.Node(InputFile.Text(plan), Strict) : null;
        }
        catch (JsonException e)
        {
            throw new UsageException($"{plan} is damaged: {e.Message} Delete it; only the manifest has it from there.", e);
        }
    }

    // Losses and proportions of every evaluation, from the log of a stage.
    private IEnumerable<JsonNode> Evaluations(string stage)
    {
        string log = Path.Combine(stages[stage + ".run"], "log.jsonl");
        if (!File.Exists(log))
            yield break;
        foreach (string text in File.ReadLines(log))
        {
            JsonObject? line = null;
            try
            {
                line = SafeJson.Node(text, Strict) as JsonObject;
            }
            catch (JsonException)
            {
                // The last line of a run that is being written, or a damaged one: the run itself cuts its log there.
            }

            if (line?["kind"] is not JsonValue kind || !kind.TryGetValue(out string? of) || of != "evaluation")
                continue;
            line.Remove("kind");
            line.Remove("time");
            line.Insert(0, "stage", stage);
            yield return line;
        }
    }

    // Name, size and SHA-256 of the files that decide the result: the model, and the index of every domain of token rows (it has the sums of its shards).
    private JsonArray Inputs()
    {
        string[] files =
        [
            .. Directory.GetFiles(recipe.Model).Where(f => f.EndsWith(".json", StringComparison.Ordinal) || f.EndsWith(".safetensors", StringComparison.Ordinal)),
            .. new[] { recipe.Learn["data"], recipe.Learn["held-out"], recipe.Continue["data"] }.OfType<JsonValue>().Select(v => v.ToString()).Distinct(StringComparer.Ordinal)
                .Where(Directory.Exists).SelectMany(d => Directory.GetFiles(d, "*.json", SearchOption.AllDirectories)),
        ];
        var inputs = new JsonArray();
        for (int i = 0; i < files.Length; i++)
        {
            run.Cancellation.ThrowIfCancellationRequested();
            run.Progress.Report(new ShearingProgress("hashing inputs", i, files.Length, "files"));
            using FileStream stream = File.OpenRead(files[i]);
            inputs.Add(new JsonObject { ["file"] = files[i], ["bytes"] = stream.Length, ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(stream)) });
        }

        return inputs;
    }
}
