// Prune, train, merge, measure: the verbs one after the other, with everything between them in one work folder. Killed anywhere, the same
// command goes on: a finished stage is not repeated, training resumes from its checkpoint.
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Json;
using Spectre.Console;

namespace LlmShearing.Cli.Commands;

/// <param name="Pruning">What `prune` said.</param>
/// <param name="Training">What `tune` or `train` said.</param>
/// <param name="Recovered">Perplexity of the folder written; null without text, or when interrupted.</param>
/// <param name="Folder">Folder written; null when interrupted.</param>
/// <param name="Work">Folder of plan, checkpoints and adapter.</param>
internal sealed record RecoveryResult(JsonElement Pruning, JsonElement Training, double? Recovered, string? Folder, string Work)
{
    public JsonObject Json()
    {
        JsonObject json = SafeJson.Node(Pruning.GetRawText())!.AsObject();
        json["perplexity_pruned"] = json["perplexity_after"]?.DeepClone();
        json["perplexity_after"] = Recovered is { } r ? Numbers.Json(r) : null;
        json["recovery"] = SafeJson.Node(Training.GetRawText());
        json["run"] = Work;
        json["out"] = Folder;
        return json;
    }

    public void Print(IAnsiConsole console)
    {
        console.Line($"removed {string.Join(' ', Pruning.GetProperty("removed").EnumerateArray())}: {Numbers.Count(Pruning.GetProperty("parameters_before").GetInt64())} -> {Numbers.Count(Pruning.GetProperty("parameters_after").GetInt64())} parameters");
        if (Recovered is { } recovered)
            console.Line($"perplexity {Text("perplexity_before")}, pruned {Text("perplexity_after")}, recovered {Numbers.Significant(recovered)}");
        console.Line(Training.GetProperty("message").Text());
        console.Line(Folder is null ? $"the same command goes on; everything so far is in {Work}" : $"written to {Folder}; plan, adapter and checkpoints are in {Work}");
    }

    private string Text(string member) => Pruning.GetProperty(member) is { ValueKind: JsonValueKind.Number } n ? Numbers.Significant(n.GetDouble()) : "unknown";
}

internal static class RecoveryPipeline
{
    private const string Training = "train";

    /// <summary>Refuses a target that is there, unless all stages but the last are done: then the last one says whether it is their result.</summary>
    public static void EnsureFree(string target, bool force, string work) => StageFolder.EnsureFree(target, force, work, Training);

    /// <summary>Runs what is left to do.</summary>
    /// <param name="run">The outer command.</param>
    /// <param name="prune">`prune` with all its options but --out and --force.</param>
    /// <param name="train">`tune` or `train` with all its options but model, --run and --out.</param>
    /// <param name="work">Folder for what lies between.</param>
    /// <param name="target">Folder to write.</param>
    /// <param name="force">Whether it may be replaced.</param>
    /// <param name="model">Where and in which type to measure.</param>
    /// <param name="evaluate">Reads the text to measure on; null when there is none.</param>
    public static RecoveryResult Execute(Invocation run, string[] prune, string[] train, string work, string target, bool force, ModelOptions model, Func<EvaluationText?> evaluate)
    {
        StageFolder stages = StageFolder.Open(work, new JsonObject { ["prune"] = Array(prune), ["train"] = Array(train) });
        string pruned = stages["pruned"], trained = stages["trained"];
        JsonElement pruning = stages.Stage("prune", () => NestedShear.Run(run, [.. prune, "--out", pruned, "--force"]));
        JsonElement training = stages.Stage(Training, () => NestedShear.Run(run, [train[0], pruned, .. train[1..], "--run", stages["checkpoints"], "--out", trained, "--force"]));
        if (StageFolder.IsInterrupted(training))
            return new RecoveryResult(pruning, training, null, null, work);

        string[] finish = train[0] == "tune" ? ["merge", pruned, "--adapter", trained] : ["convert", trained];
        NestedShear.Run(run, [.. finish, "--out", target, .. force ? ["--force"] : System.Array.Empty<string>()]);
        double? recovered = null;
        if (evaluate() is { } text)
        {
            using OpenModel open = ModelFolder.Open(run, target, model);
            recovered = PruningRun.Perplexity(run, open, text.Rows(target), text.Protocol);
        }

        return new RecoveryResult(pruning, training, recovered, target, work);
    }

    private static JsonArray Array(string[] values) => new([.. values.Select(v => (JsonNode?)v)]);
}
