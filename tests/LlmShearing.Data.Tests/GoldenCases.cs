// Cases of tests as the files of a folder of goldens hold them: a new file or a new case in one is run without a change here.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using Xunit;

namespace LlmShearing.Data.Tests;

internal static class GoldenCases
{
    /// <summary>The JSON objects below a folder, with their paths relative to the goldens and in order; none without the folder.</summary>
    public static IEnumerable<(string File, JsonObject Json)> Files(string folder)
    {
        if (Goldens.TryPath(folder) is not { } root)
            yield break;
        foreach (string path in Directory.EnumerateFiles(root, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            if (JsonNode.Parse(File.ReadAllText(path)) is JsonObject json)
                yield return ($"{folder}/{Path.GetRelativePath(root, path).Replace('\\', '/')}", json);
    }

    /// <summary>
    /// One row for each case of each file. Without any there is one that no file has: it is skipped with the folder, and fails when the
    /// folder is there.
    /// </summary>
    /// <param name="folder">Folder relative to the goldens.</param>
    /// <param name="cases">Names of the cases in a file; none for a file of another kind.</param>
    public static TheoryData<string, string> In(string folder, Func<JsonObject, IEnumerable<string>> cases)
    {
        var rows = new TheoryData<string, string>();
        foreach ((string file, JsonObject json) in Files(folder))
            foreach (string name in cases(json))
                rows.Add(file, name);
        if (rows.Count == 0)
            rows.Add(folder + "/none.json", "0");
        return rows;
    }

    /// <summary>The same for the elements of an array, which are named by their numbers.</summary>
    /// <param name="folder">Folder relative to the goldens.</param>
    /// <param name="array">The array of a file; null for a file of another kind.</param>
    /// <param name="which">Which elements count; null = all.</param>
    public static TheoryData<string, string> In(string folder, Func<JsonObject, JsonNode?> array, Func<JsonNode, bool>? which = null) =>
        In(folder, json => array(json) is JsonArray list
            ? Enumerable.Range(0, list.Count).Where(i => which?.Invoke(list[i]!) ?? true).Select(i => $"{i}")
            : []);

    /// <summary>A file by its path relative to the goldens.</summary>
    public static JsonObject Read(string file) => JsonNode.Parse(File.ReadAllText(Goldens.Path(file)))!.AsObject();

    /// <summary>An element of an array by its number.</summary>
    public static JsonNode At(this JsonNode? array, string number) =>
        array![int.Parse(number, System.Globalization.CultureInfo.InvariantCulture)]!;
}
