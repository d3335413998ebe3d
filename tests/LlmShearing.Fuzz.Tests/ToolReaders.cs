// Files that only the tool reads: recipes, settings, results of stages, ids, texts.
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Commands;
using LlmShearing.Cli.Input;

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
            RowReaders.Domains(f);
            File.WriteAllText(Path.Combine(f, "settings.json"), """
                { "steps": 3, "batch-size": 2, "micro-batch": 1, "lr": 1e-3, "proportions": "a=0.5,b=0.5", "seed": 4, "compute": "float32", "schedule": "cosine", "checkpoint-every": 2, "json": true, "quiet": true }
                """);
        }, f => Tool.Run("train", Path.Combine(f, "model"), "--data", Path.Combine(f, "rows"), "--out", Path.Combine(f, "out"), "--dry-run", "--config", Path.Combine(f, "settings.json"))) { MaxBytes = 256L << 20 };
        yield return new("stage-result", "learn.json", FuzzShape.Json,
            f => new StageFolder(f).Stage("learn", () => JsonDocument.Parse("""{ "stop": "steps", "loss": 2.5, "n": [1, 2] }""").RootElement.Clone()),
            f =>
            {
                if (new StageFolder(f).Result("learn") is { } result)
                    StageFolder.IsInterrupted(result);
            });
        yield return new("stage-request", "request.json", FuzzShape.Json, f => StageFolder.Open(f, new JsonObject { ["model"] = "m" }), f => StageFolder.Open(f, new JsonObject { ["model"] = "m" }));
        yield return FuzzReaders.Text("ids", "ids.json", FuzzShape.Json, "{\"rows\":[[1,2,3],[4,5]]}", f => IdsFile.Read(f));
        const string Lines = "{\"text\":\"a\"}\n{\"text\":\"b\\n\",\"n\":NaN}\n";
        yield return FuzzReaders.Text("text-lines", "text.jsonl", FuzzShape.JsonLines, Lines, f => TextFile.Read(f, null));
        foreach ((string extension, Func<byte[], byte[]> pack) in Packing.Text)
            yield return FuzzReaders.Binary("text-lines-" + extension, $"text.jsonl.{extension}", pack(FuzzReaders.Ascii(Lines)), f => TextFile.Read(f, null));
    }
}
