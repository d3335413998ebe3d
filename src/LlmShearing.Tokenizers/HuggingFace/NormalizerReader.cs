using LlmShearing.Tokenizers.Normalization;
using LlmShearing.Tokenizers.Patterns;
using LlmShearing.Tokenizers.PreTokenization;
using LlmShearing.Tokenizers.Unicode;

namespace LlmShearing.Tokenizers.HuggingFace;

/// <summary>Reads the <c>normalizer</c> of a tokenizer.json, and patterns, which other parts have too.</summary>
internal static class NormalizerReader
{
    private const int ShownCharacters = 400;

    public static NormalizerChain Read(JsonField? field)
    {
        var steps = new List<Normalizer>();
        if (field is not null)
            Add(field.Value, steps);
        return new NormalizerChain([.. steps]);
    }

    /// <summary>Reads <c>pattern</c> and <c>content</c>.</summary>
    public static Normalizer ReadReplace(JsonField field)
    {
        string content = field.Text("content");
        if (content.Length == 1 && field.Required("pattern").Optional("String")?.AsString() is [char only])
            return new ReplaceCharNormalizer(only, content[0]);
        return new ReplaceNormalizer(ReadPattern(field.Required("pattern")), content);
    }

    /// <summary>Reads <c>{"String": …}</c> or <c>{"Regex": …}</c>.</summary>
    public static PieceScanner ReadPattern(JsonField field)
    {
        if (field.Optional("String") is { } literal)
        {
            string text = literal.AsString();
            return text.Length > 0 ? new LiteralScanner(text) : throw literal.Error("is empty.");
        }

        JsonField regex = field.Required("Regex");
        string pattern = regex.AsString();
        return pattern switch
        {
            Gpt2Scanner.Pattern => Gpt2Scanner.Instance,
            Llama3Scanner.Pattern => new Llama3Scanner(digitsPerPiece: 3),
            Llama3Scanner.Qwen2Pattern => new Llama3Scanner(digitsPerPiece: 1),
            @"\s" => new SpaceScanner(),
            @"\p{N}" => new DigitScanner(individual: true),
            @"\p{N}+" => new DigitScanner(individual: false),
            _ => PatternParser.TryCompile(pattern, out string? problem) ?? throw regex.Error($"asks for the regular expression '{(pattern.Length <= ShownCharacters ? pattern : pattern[..ShownCharacters] + "...")}', which is not supported because of {problem}."),
        };
    }

    private static void Add(JsonField field, List<Normalizer> steps)
    {
        string type = field.Text("type");
        switch (type)
        {
            case "Sequence":
                foreach (JsonField item in field.Required("normalizers").Items())
                    Add(item, steps);
                break;
            case "Prepend":
                steps.Add(new PrependNormalizer(field.Text("prepend")));
                break;
            case "Replace":
                steps.Add(ReadReplace(field));
                break;
            case "NFC":
                steps.Add(new UnicodeNormalizer(compatible: false, compose: true));
                break;
            case "NFD":
                steps.Add(new UnicodeNormalizer(compatible: false, compose: false));
                break;
            case "NFKC":
                steps.Add(new UnicodeNormalizer(compatible: true, compose: true));
                break;
            case "NFKD":
                steps.Add(new UnicodeNormalizer(compatible: true, compose: false));
                break;
            case "Lowercase":
                steps.Add(new LowercaseNormalizer());
                break;
            case "Strip":
                steps.Add(new StripNormalizer(field.Flag("strip_left", true), field.Flag("strip_right", true)));
                break;
            default:
                throw field.Unsupported("normalizer", type);
        }
    }
}
