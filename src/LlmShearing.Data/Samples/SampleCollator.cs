// Rectangles out of samples of different lengths: padded, or packed with positions that begin again with each document.
using LlmShearing.Training.Steps;

namespace LlmShearing.Data.Samples;

/// <summary>Where padding goes.</summary>
public enum PaddingSide
{
    /// <summary>After the sample.</summary>
    Right,

    /// <summary>Before the sample.</summary>
    Left,
}

/// <summary>How samples become a batch.</summary>
public sealed record CollatorOptions
{
    /// <summary>Id written into padding. It is masked and never learned, so any id of the vocabulary serves; see <see cref="PaddingToken"/>.</summary>
    public required int PadId { get; init; }

    /// <summary>Where padding goes; packed rows are always padded on the right.</summary>
    /// <value>Default: right.</value>
    public PaddingSide Side { get; init; } = PaddingSide.Right;

    /// <summary>Rows are padded to the longest one, rounded up to a multiple of this; at least 1.</summary>
    /// <value>Default: 1.</value>
    public int MultipleOf { get; init; } = 1;

    /// <summary>Whether documents of a packed row see those before them. Then there are no positions: simpler and a little faster, but not what was asked of single samples.</summary>
    /// <value>Default: false.</value>
    public bool AttendAcrossDocuments { get; init; }
}

/// <summary>Makes micro-batches of samples.</summary>
public static class SampleCollator
{
    /// <summary>One sample a row, padded to the longest (transformers' DataCollatorForSeq2Seq, TRL's language-modelling collator).</summary>
    /// <param name="samples">Samples, none empty.</param>
    /// <param name="options">Padding.</param>
    /// <param name="source">Where they come from.</param>
    /// <returns>Ids, mask and labels [samples, length]; without a mask when nothing is padded.</returns>
    /// <exception cref="TokenDataException">There is no sample, or one is empty.</exception>
    public static TrainingBatch Padded(IReadOnlyList<TokenSample> samples, CollatorOptions options, string source = "")
    {
        ArgumentNullException.ThrowIfNull(samples);
        return Pack([.. samples.Select(s => new[] { s })], options, source, packed: false);
    }

    /// <summary>
    /// Several documents a row. Positions begin at 0 with each document and attention stays inside it; nothing predicts the first token of a document, so its
    /// label is ignored; each padding token is a document of its own (TRL's padding-free collator, which writes all documents into a single row).
    /// </summary>
    /// <param name="rows">Documents of each row, none empty.</param>
    /// <param name="options">Padding, and whether documents see each other.</param>
    /// <param name="source">Where they come from.</param>
    /// <returns>Ids, labels and positions [rows, length]; with documents that see each other, ids, mask and labels.</returns>
    /// <exception cref="TokenDataException">There is no row, or a row or document is empty.</exception>
    public static TrainingBatch Packed(IReadOnlyList<IReadOnlyList<TokenSample>> rows, CollatorOptions options, string source = "")
    {
        ArgumentNullException.ThrowIfNull(options);
        return Pack(rows, options, source, packed: !options.AttendAcrossDocuments);
    }

    private static TrainingBatch Pack(IReadOnlyList<IReadOnlyList<TokenSample>> rows, CollatorOptions options, string source, bool packed)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(options);
        if (options.MultipleOf < 1)
            throw new TokenDataException($"MultipleOf is {options.MultipleOf}; it must be at least 1.");
        if (options.PadId < 0)
            throw new TokenDataException($"PadId is {options.PadId}; give an id of the vocabulary.");
        if (rows.Count == 0)
            throw new TokenDataException("There is no sample to make a batch of.");
        for (int r = 0; r < rows.Count; r++)
            if (rows[r].Count == 0 || rows[r].Any(s => s.Length == 0))
                throw new TokenDataException($"Row {r} of a batch is empty or has an empty sample{(source.Length > 0 ? $" ({source})" : "")}. Leave empty samples out.");

        int[] lengths = [.. rows.Select(r => checked(r.Sum(s => s.Length)))];
        int width = checked((lengths.Max() + options.MultipleOf - 1) / options.MultipleOf * options.MultipleOf);
        int[] ids = new int[checked(rows.Count * width)], labels = new int[ids.Length];
        long[]? positions = packed ? new long[ids.Length] : null;
        bool[]? mask = !packed && lengths.Any(l => l != width) ? new bool[ids.Length] : null;
        ids.AsSpan().Fill(options.PadId);
        labels.AsSpan().Fill(TrainingBatch.Ignored);
        for (int r = 0; r < rows.Count; r++)
        {
            int at = (r * width) + (options.Side == PaddingSide.Left && !packed ? width - lengths[r] : 0);
            mask?.AsSpan(at, lengths[r]).Fill(true);
            foreach (TokenSample sample in rows[r])
            {
                sample.Ids.Span.CopyTo(ids.AsSpan(at));
                sample.Labels.Span.CopyTo(labels.AsSpan(at));
                if (positions is not null)
                {
                    labels[at] = TrainingBatch.Ignored;
                    for (int t = 0; t < sample.Length; t++)
                        positions[at + t] = t;
                }

                at += sample.Length;
            }
        }

        return new TrainingBatch(new TokenBatch(rows.Count, width, ids, mask), labels, positions, source);
    }
}
