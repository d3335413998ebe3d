using LlmShearing.Tokenizers.Decoding;

namespace LlmShearing.Tokenizers.HuggingFace;

/// <summary>Reads the <c>decoder</c> of a tokenizer.json.</summary>
internal static class DecoderReader
{
    /// <summary>The steps, or null when there is no decoder.</summary>
    public static TokenDecoder[]? Read(JsonField? field)
    {
        if (field is null)
            return null;
        var steps = new List<TokenDecoder>();
        Add(field.Value, steps);
        return [.. steps];
    }

    private static void Add(JsonField field, List<TokenDecoder> steps)
    {
        string type = field.Text("type");
        switch (type)
        {
            case "Sequence":
                foreach (JsonField item in field.Required("decoders").Items())
                    Add(item, steps);
                break;
            case "ByteLevel":
                steps.Add(new ByteLevelDecoder());
                break;
            case "ByteFallback":
                steps.Add(new ByteFallbackDecoder());
                break;
            case "Fuse":
                steps.Add(new FuseDecoder());
                break;
            case "Strip":
                steps.Add(new StripDecoder(
                    PreTokenizerReader.ReadChar(field.Required("content")),
                    field.Required("start").AsCount(int.MaxValue),
                    field.Required("stop").AsCount(int.MaxValue)));
                break;
            case "Replace":
                steps.Add(new ReplaceDecoder(NormalizerReader.ReadReplace(field)));
                break;
            case "Metaspace":
                steps.Add(new MetaspaceDecoder(
                    PreTokenizerReader.ReadChar(field.Required("replacement")), PreTokenizerReader.ReadScheme(field)));
                break;
            default:
                throw field.Unsupported("decoder", type);
        }
    }
}
