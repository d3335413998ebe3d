// Damaged copies of a JSON file: every member taken away, doubled, renamed and given values of other kinds, and the file cut short.
using System.Text;
using System.Text.Json.Nodes;

namespace LlmShearing.Testing;

public static class JsonMutations
{
    // Latin-1 keeps bytes that are no UTF-8: \u00ff is the byte 0xff.
    private static readonly string[] Values =
    [
        "null", "true", "-1", "0", "1.5", "2147483648", "99999999999999999999", "1e999", "\"\"", "\"x\"", "\"\\ud800\"", "\"\u00ff\"", "[]", "{}", "[null]",
        "{\"a\":1}", "{\"a\":1,\"a\":2}", new string('[', 100) + new string(']', 100),
    ];

    /// <summary>All damaged copies, the same in every run.</summary>
    /// <param name="json">The file's content.</param>
    /// <param name="entries">How many entries of each object or array are damaged, counted from the first.</param>
    public static IEnumerable<(string Name, byte[] Content)> Of(string json, int entries = 8)
    {
        JsonNode root = JsonNode.Parse(json)!;
        foreach (string whole in new[] { "", "null", "[]", "{}", "3", "\"\\ud800\"", "\u00ff", "{", json + "}" })
            yield return ($"whole file {whole[..Math.Min(10, whole.Length)]}", Encoding.Latin1.GetBytes(whole));
        for (int i = 1; i <= 8; i++)
            yield return ($"cut {i}/9", Encoding.UTF8.GetBytes(json[..(json.Length * i / 9)]));
        foreach (JsonNode? parent in Containers(root, entries))
        {
            int count = Math.Min(entries, parent is JsonObject o ? o.Count : parent!.AsArray().Count);
            for (int i = 0; i < count; i++)
            {
                int entry = i;
                string place = parent is JsonObject members ? $"{members.GetPath()}.{members.ElementAt(i).Key}" : $"{parent!.GetPath()}[{i}]";
                yield return ($"{place} deleted", Write(root, parent, entry, (_, _) => null));
                yield return ($"{place} twice", Write(root, parent, entry, (name, value) => $"{name}{value},{name}{value}"));
                foreach (string other in Values)
                    yield return ($"{place} = {other[..Math.Min(24, other.Length)]}", Write(root, parent, entry, (name, _) => name + other));
                if (parent is not JsonObject)
                    continue;
                yield return ($"{place} renamed to half a pair", Write(root, parent, entry, (_, value) => "\"\\udc00\":" + value));
                yield return ($"{place} renamed to no UTF-8", Write(root, parent, entry, (_, value) => "\"\u00ff\":" + value));
            }
        }
    }

    private static IEnumerable<JsonNode> Containers(JsonNode? node, int entries)
    {
        if (node is not (JsonObject or JsonArray))
            yield break;
        yield return node;
        foreach (JsonNode? child in (node is JsonObject o ? o.Select(m => m.Value) : node.AsArray()).Take(entries))
            foreach (JsonNode inner in Containers(child, entries))
                yield return inner;
    }

    private static byte[] Write(JsonNode root, JsonNode? parent, int entry, Func<string, string, string?> change)
    {
        var text = new StringBuilder();
        Append(root);
        return Encoding.Latin1.GetBytes(text.ToString());

        void Append(JsonNode? node)
        {
            if (node is not (JsonObject or JsonArray))
            {
                // The default writer escapes everything but ASCII.
                text.Append(node?.ToJsonString() ?? "null");
                return;
            }

            IReadOnlyList<(string Name, JsonNode? Value)> children = node is JsonObject o
                ? [.. o.Select(m => (JsonValue.Create(m.Key).ToJsonString() + ":", m.Value))]
                : [.. node.AsArray().Select(e => ("", e))];
            text.Append(node is JsonObject ? '{' : '[');
            bool first = true;
            for (int i = 0; i < children.Count; i++)
            {
                string? written = null;
                if (ReferenceEquals(node, parent) && i == entry && (written = change(children[i].Name, children[i].Value?.ToJsonString() ?? "null")) is null)
                    continue;
                text.Append(first ? "" : ",");
                first = false;
                if (written is not null)
                {
                    text.Append(written);
                    continue;
                }

                text.Append(children[i].Name);
                Append(children[i].Value);
            }

            text.Append(node is JsonObject ? '}' : ']');
        }
    }

    /// <summary>Reads all damaged copies; whatever comes out must be a <see cref="ShearingException"/> that names the file, or another one of its folder.</summary>
    /// <returns>A line for each copy that ended otherwise.</returns>
    public static IReadOnlyList<string> Failures(string file, string json, Action read, int entries = 8)
    {
        var failures = new List<string>();
        foreach ((string name, byte[] content) in Of(json, entries))
        {
            File.WriteAllBytes(file, content);
            try
            {
                read();
            }
            catch (ShearingException e) when (e.Message.Contains(Path.GetFileName(file), StringComparison.Ordinal) || e.Message.Contains(Path.GetDirectoryName(file)!, StringComparison.Ordinal))
            {
            }
            catch (Exception e)
            {
                failures.Add($"{Path.GetFileName(file)}, {name}: {e.GetType().Name}: {e.Message}");
            }
        }

        File.WriteAllText(file, json);
        return failures;
    }
}
