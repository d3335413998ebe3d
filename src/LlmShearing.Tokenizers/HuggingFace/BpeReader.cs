using LlmShearing.Tokenizers.Bpe;

namespace LlmShearing.Tokenizers.HuggingFace;

/// <summary>Reads the <c>model</c> of a tokenizer.json; BPE only.</summary>
internal static class BpeReader
{
    /// <summary>No vocabulary comes near it; a larger id in a damaged file would only cost memory.</summary>
    public const int LargestId = (1 << 24) - 1;

    public static BpeDefinition Read(JsonField model)
    {
        string type = model.Optional("type")?.AsString() ?? (model.Optional("merges") is null ? "unknown" : "BPE");
        if (type != "BPE")
            throw model.Unsupported("model", type);

        Dictionary<string, int> vocabulary = ReadVocabulary(model.Required("vocab"));
        return new BpeDefinition
        {
            Source = model.Place,
            Vocabulary = vocabulary,
            Merges = ReadMerges(model.Required("merges"), vocabulary),
            UnknownToken = model.Optional("unk_token")?.AsString(),
            ContinuingPrefix = model.Optional("continuing_subword_prefix")?.AsString() ?? "",
            EndSuffix = model.Optional("end_of_word_suffix")?.AsString() ?? "",
            FuseUnknown = model.Flag("fuse_unk", false),
            ByteFallback = model.Flag("byte_fallback", false),
            IgnoreMerges = model.Flag("ignore_merges", false),
        };
    }

    private static Dictionary<string, int> ReadVocabulary(JsonField field)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        var owners = new Dictionary<int, string>();
        foreach ((string token, JsonField value) in field.Members())
        {
            int id = value.AsCount(LargestId);
            if (!vocabulary.TryAdd(token, id))
                throw field.Error($"has the token '{token}' twice.");
            if (!owners.TryAdd(id, token))
                throw field.Error($"gives the id {id} to both '{owners[id]}' and '{token}'.");
        }
        return vocabulary;
    }

    private static List<(string Left, string Right)> ReadMerges(JsonField field, Dictionary<string, int> vocabulary)
    {
        // The tokens of 280,000 merges are nearly all in the vocabulary: share its strings.
        Dictionary<string, string> shared = vocabulary.Keys.ToDictionary(token => token, StringComparer.Ordinal);
        var merges = new List<(string, string)>();
        foreach (JsonField item in field.Items())
        {
            if (item.IsString)
            {
                string line = item.AsString();
                if (line.StartsWith("#version", StringComparison.Ordinal))
                    continue;
                int space = line.IndexOf(' ');
                if (space < 0 || line.IndexOf(' ', space + 1) >= 0)
                    throw item.Error($"is '{line}', expected two tokens with one space between them.");
                merges.Add((Share(line[..space]), Share(line[(space + 1)..])));
                continue;
            }

            JsonField[] pair = [.. item.Items()];
            if (pair.Length != 2)
                throw item.Error($"has {pair.Length} elements, expected two.");
            merges.Add((Share(pair[0].AsString()), Share(pair[1].AsString())));
        }
        return merges;

        string Share(string token) => shared.GetValueOrDefault(token, token);
    }
}
