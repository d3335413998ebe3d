// Files of our own: training checkpoints, tokenizer journals, descriptions of runs.
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Data.Corpus;
using LlmShearing.Files;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Fuzz.Tests;

internal static class StateReaders
{
    public static IEnumerable<FuzzReader> All()
    {
        foreach (string file in new[] { CheckpointStore.State, CheckpointStore.Checksums, CheckpointStore.Weights })
            yield return new("checkpoint-" + Path.GetFileNameWithoutExtension(file), Path.Combine("checkpoints", "step-00000003", file), file == CheckpointStore.Weights ? FuzzShape.Safetensors : FuzzShape.Json, Checkpoint, f =>
            {
                RunReaders.MendChecksums(Path.Combine(f, "checkpoints", "step-00000003"), file);
                ReadCheckpoint(f);
            });
        yield return new("journal", DomainJournal.FileName, FuzzShape.JsonLines, Journal, f => DomainJournal.Recover(Path.Combine(f, DomainJournal.FileName))) { Repair = Sums };
        yield return FuzzReaders.Text("run-description", "run.json", FuzzShape.Json, """{ "library": "1", "options": { "Steps": 3 } }""", f => RunFolder.ReadDescription(Path.GetDirectoryName(f)!));
        yield return new("run-log", "log.jsonl", FuzzShape.JsonLines,
            f => File.WriteAllText(Path.Combine(f, "log.jsonl"), "{\"kind\":\"step\",\"step\":1,\"loss\":2.5}\n{\"kind\":\"evaluation\",\"step\":2,\"loss\":2.5}\n{\"kind\":\"step\",\"step\":3}\n"),
            f => RunLog.Open(f, 2, out _).Dispose());
    }

    private static void Checkpoint(string folder)
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        IReadOnlyList<NamedTensor> tensors = TrainableWeights.Of(full.Groups(new OptimizerSettings()));
        var losses = new EvaluationLosses(2, 1.5, new Dictionary<string, double> { ["web"] = 1.5 }, 100);
        new CheckpointStore(folder, OutputFiles.Default).Write(new CheckpointContent(
            new TrainingState
            {
                Format = TrainingState.CurrentFormat, Library = "1", Step = 3, Tokens = 10, ScoredTokens = 9, SkippedSteps = 0, ConsecutiveSkips = 0, Loss = 2.5, Evaluation = losses, Best = losses,
                EvaluationsWithoutGain = 0, ElapsedSeconds = 1.5, OptimizerSteps = new Dictionary<string, long> { ["w"] = 3 }, Proportions = new Dictionary<string, double> { ["web"] = 1 },
                Data = new JsonObject { ["place"] = 5 }, Configuration = new JsonObject { ["seed"] = 1 },
            }, tensors, tensors));
    }

    private static void ReadCheckpoint(string folder)
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        TrainingCheckpoint.Last(folder).LoadWeights(full);
    }

    private static void Journal(string folder)
    {
        using DomainJournal journal = DomainJournal.Begin(Path.Combine(folder, DomainJournal.FileName), new JsonObject { ["row_length"] = 4, ["text"] = "text" });
        journal.Checkpoint(0, 0, [1, 2, 3]);
        journal.Checkpoint(1, 5, []);
    }

    private static byte[] Sums(byte[] bytes)
    {
        using var mended = new MemoryStream();
        for (int start = 0, end; (end = Array.IndexOf(bytes, (byte)'\n', start)) >= 0; start = end + 1)
        {
            ReadOnlySpan<byte> line = bytes.AsSpan(start..end);
            ReadOnlySpan<byte> text = line.Length > 9 && line[^9] == ' ' ? line[..^9] : line;
            mended.Write(text);
            mended.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $" {FuzzReaders.Crc32C(text):x8}\n")));
        }

        return mended.ToArray();
    }
}
