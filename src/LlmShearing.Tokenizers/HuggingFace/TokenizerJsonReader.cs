using System.Text.Json;
using LlmShearing.Json;
using LlmShearing.Tokenizers.AddedTokens;
using LlmShearing.Tokenizers.Bpe;
using LlmShearing.Tokenizers.PreTokenization;

namespace LlmShearing.Tokenizers.HuggingFace;

/// <summary>Reads a tokenizer.json into its parts. Keys this library does not know are ignored; types it does not know are refused.</summary>
internal static class TokenizerJsonReader
{
    /// <summary>Parses a JSON file, whole.</summary>
    /// <exception cref="TokenizerException">It is not JSON.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> json, string source)
    {
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        if (json.Span.StartsWith(mark))
            json = json[mark.Length..];
        try
        {
            return SafeJson.Document(json);
        }
        catch (JsonException e)
        {
            throw new TokenizerException($"{source} is not valid JSON: {e.Message}", e);
        }
    }

    public static JsonTokenizerParts Read(ReadOnlyMemory<byte> json, string source)
    {
        using JsonDocument document = Parse(json, source);
        var root = new JsonField(document.RootElement, source, "");
        if (root.Optional("version") is { } version && version.AsString() is var text and not "1.0")
            throw version.Unsupported("format version", text);

        BpeDefinition definition = BpeReader.Read(root.Required("model"));
        PreTokenizer[] preTokenizers = PreTokenizerReader.Read(root.Optional("pre_tokenizer"), out bool byteLevel);
        var tokenIds = new Dictionary<string, int>(definition.Vocabulary, StringComparer.Ordinal);
        List<AddedToken> added = ReadAddedTokens(root.Optional("added_tokens"), definition.Vocabulary.Count, tokenIds);
        TokenTemplate template = TemplateReader.Read(root.Optional("post_processor"));
        return new JsonTokenizerParts
        {
            Model = new BpeModel(definition, byteLevel),
            TokenIds = tokenIds,
            AddedTokens = added,
            Normalizer = NormalizerReader.Read(root.Optional("normalizer")),
            PreTokenizers = preTokenizers,
            Decoders = DecoderReader.Read(root.Optional("decoder")),
            Template = template,
            Special = new SpecialTokens(
                template.LeadingId,
                template.TrailingId,
                definition.UnknownToken is { } unknown && tokenIds.TryGetValue(unknown, out int id) ? id : null),
        };
    }

    private static List<AddedToken> ReadAddedTokens(JsonField? field, int modelSize, Dictionary<string, int> tokenIds)
    {
        var added = new Dictionary<string, AddedToken>(StringComparer.Ordinal);
        if (field is null)
            return [];
        var taken = new HashSet<int>(tokenIds.Values);
        int largest = -1;
        foreach (JsonField item in field.Value.Items())
        {
            string content = item.Text("content");
            if (content.Length == 0)
                continue;
            // The id in the file is advice: the model's own id wins, then the next free one (the reference's rule).
            if (!tokenIds.TryGetValue(content, out int id))
            {
                id = Math.Max(modelSize, largest + 1);
                if (!taken.Add(id))
                    throw item.Error($"('{content}') would get the id {id}, which another token has: the ids of the vocabulary have gaps.");
                tokenIds.Add(content, id);
            }
            largest = Math.Max(largest, id);
            added[content] = new AddedToken
            {
                Id = id,
                Content = content,
                SingleWord = item.Flag("single_word", false),
                LeftStrip = item.Flag("lstrip", false),
                RightStrip = item.Flag("rstrip", false),
                Normalized = item.Flag("normalized", false),
                Special = item.Flag("special", false),
            };
        }
        return [.. added.Values];
    }
}
