namespace LlmShearing.Tokenizers.HuggingFace;

/// <summary>Reads the <c>post_processor</c> of a tokenizer.json.</summary>
internal static class TemplateReader
{
    public static TokenTemplate Read(JsonField? field)
    {
        var templates = new List<TokenTemplate>();
        if (field is not null)
            Add(field.Value, templates);
        return templates.Count switch
        {
            0 => TokenTemplate.None,
            1 => templates[0],
            _ => throw field!.Value.Error("has more than one TemplateProcessing, which is not supported."),
        };
    }

    private static void Add(JsonField field, List<TokenTemplate> templates)
    {
        string type = field.Text("type");
        switch (type)
        {
            case "Sequence":
                foreach (JsonField item in field.Required("processors").Items())
                    Add(item, templates);
                break;
            case "ByteLevel":
                // Moves offsets only; ids stay.
                break;
            case "TemplateProcessing":
                var special = new Dictionary<string, int[]>(StringComparer.Ordinal);
                if (field.Optional("special_tokens") is { } tokens)
                    foreach ((string name, JsonField token) in tokens.Members())
                        special[name] = [.. token.Required("ids").Items().Select(id => id.AsCount(BpeReader.LargestId))];
                templates.Add(new TokenTemplate(
                    [.. field.Required("single").Items().Select(part => ReadPart(part, special))],
                    [.. field.Required("pair").Items().Select(part => ReadPart(part, special))]));
                break;
            default:
                throw field.Unsupported("post-processor", type);
        }
    }

    private static TemplatePart ReadPart(JsonField field, Dictionary<string, int[]> special)
    {
        if (field.Optional("SpecialToken") is { } token)
        {
            string name = token.Text("id");
            return special.TryGetValue(name, out int[]? ids)
                ? new TemplatePart(ids, false, TypeId(token))
                : throw token.Error($"names '{name}', which is not among the special_tokens.");
        }

        JsonField sequence = field.Required("Sequence");
        bool isSecond = sequence.Text("id") switch
        {
            "A" => false,
            "B" => true,
            string other => throw sequence.Unsupported("sequence", other),
        };
        return new TemplatePart(null, isSecond, TypeId(sequence));

        static int TypeId(JsonField part) => part.Optional("type_id")?.AsCount(int.MaxValue) ?? 0;
    }
}
