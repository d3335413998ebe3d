using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Testing;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>A file of reference vectors and the strings it speaks of. Checks collect every difference before they fail.</summary>
internal sealed class VectorFile
{
    public const string Folder = "hf/tokenizers/";

    private static readonly Lazy<Dictionary<string, string>> Strings = new(() =>
        Parse("strings.json")["strings"]!.AsArray().ToDictionary(s => (string)s!["name"]!, s => (string)s!["text"]!));

    private readonly JsonObject _root;
    private readonly List<string> _differences = [];

    public VectorFile(string relative) => _root = Parse(relative);

    public string? Sha256 => (string?)(_root["tokenizer_sha256"] ?? _root["model_sha256"]);

    public int Compared { get; private set; }

    public static string Text(JsonNode vector) => Strings.Value[(string)vector["name"]!];

    public static int[] Ids(JsonNode node) => [.. node.AsArray().Select(id => (int)id!)];

    public IEnumerable<JsonObject> Section(string name) => _root[name]?.AsArray().Select(item => item!.AsObject()) ?? [];

    public JsonNode? this[string name] => _root[name];

    public void Compare(string what, IReadOnlyList<int> expected, IReadOnlyList<int> actual)
    {
        Compared++;
        if (!expected.SequenceEqual(actual))
            _differences.Add($"{what}: expected [{string.Join(' ', expected)}], got [{string.Join(' ', actual)}]");
    }

    public void Compare(string what, string? expected, string? actual)
    {
        Compared++;
        if (expected != actual)
            _differences.Add($"{what}: expected {JsonSerializer.Serialize(expected)}, got {JsonSerializer.Serialize(actual)}");
    }

    /// <summary>The text a decode field stands for; true means the original, with <paramref name="prefix"/> in front.</summary>
    public static string Decoded(JsonNode field, string original, string prefix = "") =>
        field.GetValueKind() == JsonValueKind.True ? prefix + original : (string)field!;

    public void AssertSame(int atLeast)
    {
        Assert.True(_differences.Count == 0, $"{_differences.Count} of {Compared} differ:\n" + string.Join('\n', _differences.Take(8)));
        Assert.True(Compared >= atLeast, $"Only {Compared} comparisons, expected at least {atLeast}.");
    }

    /// <summary>Everything a tokenizer.json based file holds: ids, decoding, pairs and streams.</summary>
    public void CheckJsonTokenizer(ITokenizer tokenizer)
    {
        Assert.Equal((int)_root["vocab_size_with_added"]!, tokenizer.VocabularySize);
        foreach (JsonObject vector in Section("vectors"))
        {
            string name = (string)vector["name"]!;
            string text = Text(vector);
            int[] ids = Ids(vector["ids"]!);
            int[] withSpecial = vector["ids_with_special"] is { } special ? Ids(special) : ids;
            Compare($"{name} ids", ids, tokenizer.Encode(text, addSpecialTokens: false));
            Compare($"{name} ids_with_special", withSpecial, tokenizer.Encode(text));
            Compare($"{name} decoded", Decoded(vector["decoded"]!, text), tokenizer.Decode(withSpecial, skipSpecialTokens: false));
            Compare($"{name} decoded_skip_special", Decoded(vector["decoded_skip_special"]!, text), tokenizer.Decode(withSpecial));
        }
        foreach (JsonObject item in Section("decode_only"))
        {
            int[] ids = Ids(item["ids"]!);
            Compare($"decode {string.Join(' ', ids)}", (string)item["decoded"]!, tokenizer.Decode(ids, skipSpecialTokens: false));
            Compare($"decode skipping {string.Join(' ', ids)}", (string)item["decoded_skip_special"]!, tokenizer.Decode(ids));
        }
        foreach (JsonObject item in Section("pairs"))
        {
            EncodedPair pair = tokenizer.EncodePair((string)item["a"]!, (string)item["b"]!);
            Compare($"pair {item["a"]} ids", Ids(item["ids"]!), pair.Ids);
            Compare($"pair {item["a"]} type_ids", Ids(item["type_ids"]!), pair.TypeIds);
        }
        foreach (JsonObject item in Section("stream"))
        {
            TokenStreamDecoder decoder = tokenizer.CreateDecoder();
            int[] ids = Ids(item["ids"]!);
            for (int i = 0; i < ids.Length; i++)
                Compare($"stream {item["name"]} {i}", (string?)item["chunks"]![i], decoder.Append(ids[i]));
        }
    }

    private static JsonObject Parse(string relative) =>
        JsonNode.Parse(File.ReadAllText(Goldens.Path(Folder + relative)))!.AsObject();
}
