// The folders of runs, read by the same command again, or by one that takes a run: every file of one may be damaged.
using System.Text.Json;
using LlmShearing.Testing;
using LlmShearing.Training.Runs;

namespace LlmShearing.Fuzz.Tests;

internal static class RunReaders
{
    // Made once: each reader begins with a copy of it. It goes with the process.
    private static readonly Lazy<TemporaryFolder> Done = new(Make);

    public static IEnumerable<FuzzReader> All()
    {
        foreach ((string name, string file) in new[] { ("manifest", "manifest.json"), ("plan", "learn.run/plan.json"), ("log", "learn.run/log.jsonl"), ("learned", "learn.json"), ("learned-config", "continued/config.json") })
            yield return Of("recipe-run-" + name, file, work => Tool.Run("run", Path.Combine(Done.Value.Path, "recipe.json"), "--out", work[..^".run".Length], "--force"));
        foreach ((string name, string file) in new[] { ("run", "run.json"), ("plan", "plan.json"), ("state", Checkpoint(4, CheckpointStore.State)), ("weights", Checkpoint(4, CheckpointStore.Weights)) })
            yield return Of("fold-" + name, "learn.run/" + file, work => Tool.Run(
                "fold", Path.Combine(Done.Value.Path, "model"), "--run", Path.Combine(work, "learn.run"), "--hidden", "12", "--heads", "4", "--intermediate", "12", "--layers", "2", "--out", Path.Combine(work, "folded"), "--force"));
        foreach ((string name, string file) in new[] { ("run", "run.json"), ("log", "log.jsonl"), ("state", Checkpoint(3, CheckpointStore.State)), ("checksums", Checkpoint(3, CheckpointStore.Checksums)), ("weights", Checkpoint(3, CheckpointStore.Weights)), ("optimizer", Checkpoint(3, CheckpointStore.Optimizer)) })
            yield return Of("resume-" + name, "continue.run/" + file, work => Tool.Run(
                "train", Path.Combine(Done.Value.Path, "small.run", "learned"), "--config", Path.Combine(Done.Value.Path, "small.run", "continue-settings.json"), "--compute", "float32",
                "--run", Path.Combine(work, "continue.run"), "--out", Path.Combine(work, "continued"), "--force"));
    }

    private static string Checkpoint(int step, string file) => $"checkpoints/step-{step:d8}/{file}";

    // Reading changes a run. So the damaged file lies in a copy that stays, and is read in a copy of that.
    private static FuzzReader Of(string name, string file, Action<string> read) =>
        new(name, Path.Combine("kept", file), file.EndsWith(".safetensors", StringComparison.Ordinal) ? FuzzShape.Safetensors : file.EndsWith(".jsonl", StringComparison.Ordinal) ? FuzzShape.JsonLines : FuzzShape.Json,
            f => Copies.Folder(Path.Combine(Done.Value.Path, "small.run"), Path.Combine(f, "kept")),
            f =>
            {
                string work = Path.Combine(f, "work.run");
                if (Directory.Exists(work))
                    Directory.Delete(work, recursive: true);
                Copies.Folder(Path.Combine(f, "kept"), work);
                MendChecksums(Path.GetDirectoryName(Path.Combine(work, file))!, Path.GetFileName(file));
                read(work);
            })
        { MaxBytes = 256L << 20 };

    // What is checked by its sum gets the sum of the damaged file, so that damage reaches what reads the content.
    public static void MendChecksums(string checkpoint, string file)
    {
        string sums = Path.Combine(checkpoint, CheckpointStore.Checksums), damaged = Path.Combine(checkpoint, file);
        if (file == CheckpointStore.Checksums || !File.Exists(sums) || !Copies.IsFile(damaged))
            return;
        SortedDictionary<string, CheckpointFile> all = JsonSerializer.Deserialize(File.ReadAllBytes(sums), TrainingJson.Default.SortedDictionaryStringCheckpointFile)!;
        byte[] bytes = File.ReadAllBytes(damaged);
        all[file] = new CheckpointFile(bytes.Length, FuzzReaders.Crc32C(bytes));
        File.WriteAllBytes(sums, JsonSerializer.SerializeToUtf8Bytes(all, TrainingJson.Default.SortedDictionaryStringCheckpointFile));
    }

    private static TemporaryFolder Make()
    {
        var folder = new TemporaryFolder(inMemory: true);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        ModelReaders.Folder(folder["model"]);
        RowReaders.Domains(folder.Path);
        File.WriteAllText(folder["recipe.json"], $$"""
            { "model": {{JsonSerializer.Serialize(folder["model"])}}, "data": {{JsonSerializer.Serialize(folder["rows"])}}, "held-out": {{JsonSerializer.Serialize(folder["rows"])}},
              "target": { "hidden": 12, "heads": 4, "intermediate": 16, "layers": 2 }, "proportions": { "a": 0.75, "b": 0.25 },
              "learn": { "steps": 4, "ramp": 2, "accept-unconverged": true, "batch-size": 2, "held-out-rows": 2, "eval-every": 2, "compute": "float32" },
              "continue": { "steps": 3, "batch-size": 2, "held-out-rows": 2, "checkpoint-every": 3, "proportions": "a=0.5,b=0.5", "compute": "float32" } }
            """);
        Tool.Run("run", folder["recipe.json"], "--out", folder["small"]);
        return folder;
    }
}
