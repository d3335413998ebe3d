// Files that only the tool reads: recipes, settings, results of stages, ids, texts.
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Cli;

namespace LlmShearing.Fuzz.Tests;

internal static class ToolReaders
{
    public static IEnumerable<FuzzReader> All()
    {
        yield return FuzzReaders.Text("recipe", "recipe.json", FuzzShape.Json, """
            { "preset": "PRESET", "model": "m", "data": "d", "held-out": "h", "proportions": { "web": 0.5, "code": 0.5 }, "reference-losses": "losses.json", "target": { "layers": 2, "hidden": 8 },
              "learn": { "steps": 10, "seed": 3, "lr": 1e-4 }, "continue": { "steps": 20 } }
            """.Replace("PRESET", ShearingRecipe.Presets[0], StringComparison.Ordinal), f => ShearingRecipe.Read(f).Json());
        yield return new("settings", "settings.json", FuzzShape.Json, f =>
        {
            ModelReaders.Folder(Path.Combine(f, "model"));
            File.WriteAllText(Path.Combine(f, "settings.json"), """{ "json": true, "quiet": true }""");
        }, f => Run("inspect", Path.Combine(f, "model"), "--config", Path.Combine(f, "settings.json")));
        yield return new("stage-result", "learn.json", FuzzShape.Json,
            f => new StageFolder(f).Stage("learn", () => JsonDocument.Parse("""{ "stop": "steps", "loss": 2.5, "n": [1, 2] }""").RootElement.Clone()),
            f =>
            {
                if (new StageFolder(f).Result("learn") is { } result)
                    StageFolder.IsInterrupted(result);
            });
        yield return new("stage-request", "request.json", FuzzShape.Json, f => StageFolder.Open(f, new JsonObject { ["model"] = "m" }), f => StageFolder.Open(f, new JsonObject { ["model"] = "m" }));
        yield return FuzzReaders.Text("ids", "ids.json", FuzzShape.Json, "{\"rows\":[[1,2,3],[4,5]]}", f => IdsFile.Read(f));
        yield return FuzzReaders.Text("text-lines", "text.jsonl", FuzzShape.JsonLines, "{\"text\":\"a\"}\n{\"text\":\"b\\n\"}\n", f => TextFile.Read(f, null));
    }

    private static void Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = ShearCommandLine.RunAsync(args, new Surroundings { Out = output, Error = error, Time = TimeProvider.System }, CancellationToken.None).GetAwaiter().GetResult();
        string said = error.ToString();
        if (code is not (0 or 1 or 2) || said.Contains("   at ", StringComparison.Ordinal) || said.Contains("Exception", StringComparison.Ordinal))
            throw new InvalidOperationException($"exit code {code}: {said}");
    }
}
