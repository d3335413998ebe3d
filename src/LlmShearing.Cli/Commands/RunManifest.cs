// manifest.json of `shear run`: what went in, what each stage said, and how mixture and losses went.
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmShearing.Cli;

internal sealed class RunManifest(StageFolder stages, ShearingRecipe recipe, Invocation run)
{
    private const string FileName = "manifest.json";
    private static readonly string[] Stages = ["learn", "continue", "source", "result"];

    /// <summary>Brings the file up to date. Inputs are hashed once.</summary>
    /// <param name="stage">What has just been done; null at the start.</param>
    public void Write(string? stage)
    {
        JsonObject manifest = Json(null);
        string path = stages[FileName];
        JsonNode? known = File.Exists(path) ? SafeJson.Node(InputFile.Text(path)) : null;
        manifest["inputs"] = known?["inputs"]?.DeepClone() ?? Inputs();
        if (stage is not null)
            manifest["last"] = stage;
        OutputFile.Write(path, w => w.Write(manifest.ToJsonString(new JsonSerializerOptions { WriteIndented = true })));
    }

    public JsonObject Json(string? target)
    {
        var results = new JsonObject();
        foreach (string stage in Stages)
            if (File.Exists(stages[stage + ".json"]))
                results[stage] = SafeJson.Node(InputFile.Text(stages[stage + ".json"]));
        string plan = Path.Combine(stages["learn.run"], "plan.json");
        return new JsonObject
        {
            ["library"] = LibraryVersion.Text,
            ["runtime"] = Environment.Version.ToString(),
            ["recipe"] = recipe.Json(),
            ["stages"] = results,
            ["evaluations"] = new JsonArray([.. Evaluations("learn"), .. Evaluations("continue")]),
            ["plan"] = File.Exists(plan) ? SafeJson.Node(InputFile.Text(plan)) : null,
            ["run"] = stages.Path,
            ["out"] = target,
        };
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
                line = SafeJson.Node(text) as JsonObject;
            }
            catch (JsonException)
            {
                // The last line of a run that is being written.
            }

            if (line is null || (string?)line["kind"] != "evaluation")
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
