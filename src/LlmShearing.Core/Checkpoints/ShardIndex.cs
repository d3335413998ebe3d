// model.safetensors.index.json: which shard holds which tensor. Checked strictly before any shard is opened, since its file names
// come from whoever made the checkpoint.
using System.Text.Json.Nodes;
using LlmShearing.Json;

namespace LlmShearing.Checkpoints;

internal static class ShardIndex
{
    public const string FileName = "model.safetensors.index.json";
    public const string SingleFileName = "model.safetensors";

    /// <summary>Reads the map tensor name -> shard file name.</summary>
    public static Dictionary<string, string> Load(string path)
    {
        JsonObject json = JsonFile.ReadObject(path);
        if (json["weight_map"] is not JsonObject map || map.Count == 0)
            throw new CheckpointException($"'{path}': weight_map is missing, empty or not an object.", path);
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string name, JsonNode? value) in map)
        {
            if (value is not JsonValue text || !text.TryGetValue(out string? file))
                throw new CheckpointException($"'{path}': the file of '{name}' is {value?.ToJsonString() ?? "null"}; a file name is needed.", path);
            if (!IsPlainName(file))
                throw new CheckpointException($"'{path}': the file of '{name}' is '{file}'; only a plain .safetensors file name in the same folder is allowed.", path);
            files.Add(name, file);
        }

        return files;
    }

    /// <summary>The index of shards that were written: sorted, indented by two, as the Hugging Face libraries write it.</summary>
    public static JsonObject Create(IEnumerable<KeyValuePair<string, string>> fileOfTensor, long totalBytes, long totalParameters)
    {
        var map = new JsonObject();
        foreach ((string name, string file) in fileOfTensor.OrderBy(e => e.Key, StringComparer.Ordinal))
            map[name] = file;
        return new JsonObject
        {
            ["metadata"] = new JsonObject { ["total_parameters"] = totalParameters, ["total_size"] = totalBytes },
            ["weight_map"] = map,
        };
    }

    private static bool IsPlainName(string file) =>
        file.EndsWith(".safetensors", StringComparison.Ordinal) && !file.Contains('/') && !file.Contains('\\')
        && !file.Contains(':') && !file.Contains('\0') && !file.Contains("..", StringComparison.Ordinal);
}
