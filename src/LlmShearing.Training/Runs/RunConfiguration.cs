// The settings that a run's outcome depends on, and what differs between two of them.
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Support;
using LlmShearing.Training.Steps;

namespace LlmShearing.Training.Runs;

internal static class RunConfiguration
{
    // What is stored and when does not change what is computed.
    private static readonly string[] Storage =
    [
        nameof(TrainingRunOptions.CheckpointEvery), nameof(TrainingRunOptions.CheckpointInterval),
        nameof(TrainingRunOptions.KeepLast), nameof(TrainingRunOptions.KeepBest),
    ];

    /// <summary>Everything that must be equal for a run to go on.</summary>
    public static JsonObject Create(ITrainable trainable, ITrainingData data, TrainingRunOptions options, IReadOnlyList<EvaluationSet> evaluation, ITrainingObjective? objective)
    {
        JsonObject settings = JsonSerializer.SerializeToNode(options, SettingsJson.Default.TrainingRunOptions)!.AsObject();
        foreach (string name in Storage)
            settings.Remove(name);
        return new JsonObject
        {
            ["options"] = settings,
            ["trainable"] = trainable.Describe(),
            ["frozen"] = FrozenWeights.Fingerprint(trainable),
            ["data"] = data.Describe(),
            ["evaluation"] = new JsonArray([.. evaluation.Select(s => (JsonNode)s.Name)]),
            ["objective"] = objective?.Describe() ?? new JsonObject { ["kind"] = "cross entropy" },
        };
    }

    /// <summary>The content of run.json: the configuration and what else was set, for people.</summary>
    public static JsonObject Report(TrainingRunOptions options, JsonObject configuration, int threads, string device)
    {
        JsonObject all = JsonSerializer.SerializeToNode(options, SettingsJson.Default.TrainingRunOptions)!.AsObject();
        return new JsonObject
        {
            ["library"] = LibraryVersion.Text,
            ["threads"] = threads,
            ["device"] = device,
            ["configuration"] = configuration.DeepClone(),
            ["storage"] = new JsonObject(Storage.Select(name => KeyValuePair.Create(name, all[name]?.DeepClone()))),
        };
    }

    /// <summary>Refuses a configuration that differs from that of a checkpoint in a setting that may not change.</summary>
    /// <param name="before">Configuration of the checkpoint.</param>
    /// <param name="now">Configuration asked for.</param>
    /// <param name="allowed">Settings that may differ: paths such as "options.Steps" or "data", with or without the leading "options.".</param>
    /// <param name="folder">Run folder, for the message.</param>
    /// <exception cref="TrainingException">A setting differs, or an allowed one does not exist.</exception>
    public static void Check(JsonObject before, JsonObject now, IReadOnlyCollection<string> allowed, string folder)
    {
        var old = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var current = new SortedDictionary<string, string>(StringComparer.Ordinal);
        Flatten("", before, old);
        Flatten("", now, current);
        string[] paths = [.. old.Keys.Union(current.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        foreach (string name in allowed)
            if (!paths.Any(p => Covers(name, p)))
                throw new TrainingException($"The change of '{name}' is allowed, but there is no such setting. Known: {string.Join(", ", paths)}.");
        string[] changed =
        [
            .. paths.Where(p => old.GetValueOrDefault(p) != current.GetValueOrDefault(p) && !allowed.Any(a => Covers(a, p)))
                .Select(p => $"{p} was {old.GetValueOrDefault(p, "absent")} and is now {current.GetValueOrDefault(p, "absent")}"),
        ];
        if (changed.Length > 0)
            throw new TrainingException($"The run in '{folder}' was begun with other settings: {string.Join("; ", changed)}. Use the same settings, allow these changes by name, or give a new folder.");
    }

    private static bool Covers(string allowed, string path) =>
        Within(allowed, path) || Within("options." + allowed, path);

    private static bool Within(string prefix, string path) =>
        path.StartsWith(prefix, StringComparison.Ordinal) && (path.Length == prefix.Length || path[prefix.Length] == '.');

    private static void Flatten(string path, JsonNode? node, SortedDictionary<string, string> into)
    {
        if (node is JsonObject members)
            foreach ((string name, JsonNode? value) in members)
                Flatten(path.Length == 0 ? name : $"{path}.{name}", value, into);
        else
            into[path] = node?.ToJsonString() ?? "null";
    }
}
