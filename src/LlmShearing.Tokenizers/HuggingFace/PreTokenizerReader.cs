using LlmShearing.Tokenizers.PreTokenization;

namespace LlmShearing.Tokenizers.HuggingFace;

/// <summary>Reads the <c>pre_tokenizer</c> of a tokenizer.json.</summary>
internal static class PreTokenizerReader
{
    /// <summary>Reads the steps.</summary>
    /// <param name="field">The pre-tokenizer; null for none.</param>
    /// <param name="byteLevel">The last step leaves the spelling of bytes to the model.</param>
    public static PreTokenizer[] Read(JsonField? field, out bool byteLevel)
    {
        var leaves = new List<JsonField>();
        if (field is not null)
            Flatten(field.Value, leaves);
        byteLevel = leaves.Count > 0 && leaves[^1].Text("type") == "ByteLevel";
        bool modelSpells = byteLevel;
        return [.. leaves.Select((leaf, i) => ReadStep(leaf, modelSpells && i == leaves.Count - 1))];
    }

    /// <summary>Reads <c>prepend_scheme</c>, or <c>add_prefix_space</c> of older files.</summary>
    public static PrependScheme ReadScheme(JsonField field)
    {
        bool? addPrefixSpace = field.Optional("add_prefix_space")?.AsBool();
        if (field.Optional("prepend_scheme") is not { } scheme)
            return addPrefixSpace == false ? PrependScheme.Never : PrependScheme.Always;

        PrependScheme read = scheme.AsString() switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            string other => throw scheme.Unsupported("scheme", other),
        };
        if (addPrefixSpace == false && read != PrependScheme.Never)
            throw field.Error("has add_prefix_space false, which contradicts its prepend_scheme.");
        return read;
    }

    /// <summary>Reads a string of one UTF-16 unit.</summary>
    public static char ReadChar(JsonField field) => field.AsString() is [char only] ? only : throw field.Error("must be one character.");

    private static void Flatten(JsonField field, List<JsonField> leaves)
    {
        if (field.Text("type") != "Sequence")
        {
            leaves.Add(field);
            return;
        }
        foreach (JsonField item in field.Required("pretokenizers").Items())
            Flatten(item, leaves);
    }

    private static PreTokenizer ReadStep(JsonField field, bool modelSpells)
    {
        string type = field.Text("type");
        return type switch
        {
            "Split" => new SplitStep(
                NormalizerReader.ReadPattern(field.Required("pattern")), ReadBehavior(field.Required("behavior")), field.Flag("invert", false)),
            "ByteLevel" => new ByteLevelStep(field.Flag("add_prefix_space", true), field.Flag("use_regex", true), spell: !modelSpells),
            "Metaspace" => new MetaspaceStep(ReadChar(field.Required("replacement")), ReadScheme(field), field.Flag("split", true)),
            "Digits" => new SplitStep(new DigitScanner(field.Flag("individual_digits", false)), SplitBehavior.Isolated),
            "Punctuation" => new SplitStep(
                new PunctuationScanner(), field.Optional("behavior") is { } behavior ? ReadBehavior(behavior) : SplitBehavior.Isolated),
            "Whitespace" => new SplitStep(new WordScanner(), SplitBehavior.Removed, invert: true),
            "WhitespaceSplit" => new SplitStep(new SpaceScanner(), SplitBehavior.Removed),
            "CharDelimiterSplit" => new SplitStep(
                new LiteralScanner(ReadChar(field.Required("delimiter")).ToString()), SplitBehavior.Removed),
            _ => throw field.Unsupported("pre-tokenizer", type),
        };
    }

    private static SplitBehavior ReadBehavior(JsonField field) => field.AsString() switch
    {
        "Isolated" => SplitBehavior.Isolated,
        "Removed" => SplitBehavior.Removed,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        string other => throw field.Unsupported("split behavior", other),
    };
}
