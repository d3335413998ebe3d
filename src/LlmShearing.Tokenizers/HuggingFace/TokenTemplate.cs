namespace LlmShearing.Tokenizers.HuggingFace;

/// <summary>One element of a template: fixed ids, or the ids of one of the texts.</summary>
/// <param name="Ids">The fixed ids; null for a text.</param>
/// <param name="IsSecond">The second text rather than the first.</param>
/// <param name="TypeId">Type id of everything it produces.</param>
internal readonly record struct TemplatePart(int[]? Ids, bool IsSecond, int TypeId);

/// <summary>What is put around one text and around two.</summary>
internal sealed record TokenTemplate(TemplatePart[] Single, TemplatePart[] Pair)
{
    /// <summary>The texts as they are.</summary>
    public static TokenTemplate None { get; } = new(
        [new TemplatePart(null, false, 0)],
        [new TemplatePart(null, false, 0), new TemplatePart(null, true, 1)]);

    /// <summary>bos and eos around each text; null leaves one out.</summary>
    public static TokenTemplate Around(int? bos, int? eos)
    {
        TemplatePart[] single = Wrap(false, 0);
        return new TokenTemplate(single, [.. single, .. Wrap(true, 1)]);

        TemplatePart[] Wrap(bool second, int type)
        {
            var parts = new List<TemplatePart>();
            if (bos is not null)
                parts.Add(new TemplatePart([bos.Value], second, type));
            parts.Add(new TemplatePart(null, second, type));
            if (eos is not null)
                parts.Add(new TemplatePart([eos.Value], second, type));
            return [.. parts];
        }
    }

    /// <summary>The only id in front of a single text, or null.</summary>
    public int? LeadingId => Only(Single.TakeWhile(part => part.Ids is not null));

    /// <summary>The only id after a single text, or null.</summary>
    public int? TrailingId => Only(Single.SkipWhile(part => part.Ids is not null).Where(part => part.Ids is not null));

    private static int? Only(IEnumerable<TemplatePart> parts)
    {
        int[] ids = [.. parts.SelectMany(part => part.Ids!)];
        return ids.Length == 1 ? ids[0] : null;
    }
}
