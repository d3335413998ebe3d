// Records to ids and labels.
using LlmShearing.Data.Samples;
using LlmShearing.Tokenizers;
using LlmShearing.Training.Steps;

namespace LlmShearing.Data.Instructions;

/// <summary>Tokenises instruction data under a template and says which tokens are learned.</summary>
public sealed class InstructionTokenizer
{
    private readonly ITokenizer _tokenizer;
    private readonly InstructionTemplate _template;
    private readonly InstructionTokenizerOptions _options;
    private readonly TemplateTokens _tokens;
    private readonly MidTextEncoder _encoder;

    /// <summary>Creates a tokenizer of records.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="template">How records are written.</param>
    /// <param name="options">Settings. Default: 512 tokens, answers learned, tokenised piece by piece.</param>
    /// <exception cref="TokenDataException">An option is out of range or does not fit the template, or the tokenizer has no end token.</exception>
    public InstructionTokenizer(ITokenizer tokenizer, InstructionTemplate template, InstructionTokenizerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(template);
        (_tokenizer, _template, _options) = (tokenizer, template, options ?? new InstructionTokenizerOptions());
        if (_options.MaxLength < 2)
            throw new TokenDataException($"MaxLength is {_options.MaxLength}; a sample needs at least 2 tokens.");
        if (!Enum.IsDefined(_options.Labels) || !Enum.IsDefined(_options.Truncation))
            throw new TokenDataException($"Labels is {_options.Labels} and Truncation {_options.Truncation}; use {string.Join(", ", Enum.GetNames<LabelRule>())} and {string.Join(", ", Enum.GetNames<TruncationPolicy>())}.");
        if (_options.Labels == LabelRule.FastChat && template is not VicunaTemplate)
            throw new TokenDataException($"The label rule FastChat counts tokens of the template 'vicuna'; the template is '{template.Name}'. Use Segments.");
        if (tokenizer.EosTokenId is not int end || tokenizer.IdToToken(end) is not string endText)
            throw new TokenDataException("The tokenizer has no end token, so answers would never end. Name it in tokenizer_config.json (eos_token).");
        string begin = tokenizer.BosTokenId is int bos ? tokenizer.IdToToken(bos) ?? "" : "";
        _tokens = new TemplateTokens(begin, endText);
        _encoder = new MidTextEncoder(tokenizer);
    }

    /// <summary>Tokenises all records.</summary>
    /// <param name="records">The records.</param>
    /// <param name="progress">Told the number of records now and then.</param>
    /// <param name="cancellationToken">Checked before each record.</param>
    /// <returns>Samples in the order of the records, and what was left out.</returns>
    /// <exception cref="TokenDataException">A record does not fit the template, or no record is left.</exception>
    public InstructionSamples EncodeAll(IEnumerable<InstructionRecord> records, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(records);
        var samples = new List<TokenSample>();
        long count = 0, nothingLearned = 0, tooLong = 0, truncated = 0, leftOut = 0;
        foreach (InstructionRecord record in records)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (TokenSample sample, bool cut) = EncodeWhole(record);
            count++;
            leftOut += _template.LeftOut(record) > 0 ? 1 : 0;
            if (cut && _options.Truncation == TruncationPolicy.Skip)
                tooLong++;
            else if (sample.LearnedTokens == 0)
                nothingLearned++;
            else
                samples.Add(sample);
            truncated += cut ? 1 : 0;
            if (count % 1000 == 0)
                progress?.Report(new ShearingProgress("tokenising records", count, 0, "records"));
        }

        progress?.Report(new ShearingProgress("tokenising records", count, count, "records"));
        return samples.Count > 0
            ? new InstructionSamples(samples, count, nothingLearned, tooLong, truncated) { MessagesLeftOut = leftOut }
            : throw new TokenDataException($"None of {count} records is left: {nothingLearned} have no token to learn within {_options.MaxLength} tokens, {tooLong} are longer than that. Check the data and MaxLength.");
    }

    /// <summary>Tokenises one record.</summary>
    /// <param name="record">The record.</param>
    /// <returns>Ids and labels; null when nothing in it is learned, or when it is too long and such records are skipped.</returns>
    /// <exception cref="TokenDataException">The record does not fit the template.</exception>
    public TokenSample? Encode(InstructionRecord record)
    {
        (TokenSample sample, bool cut) = EncodeWhole(record);
        return sample.LearnedTokens == 0 || (cut && _options.Truncation == TruncationPolicy.Skip) ? null : sample;
    }

    /// <summary>The ids after which a model is to generate its answer.</summary>
    /// <param name="record">A task, or a conversation so far; an answer of a task is left out.</param>
    /// <returns>Token ids, not cut.</returns>
    /// <exception cref="TokenDataException">The record does not fit the template.</exception>
    public int[] EncodePrompt(InstructionRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return [.. Pieces(Known(_template.Render(record, _tokens, openAnswer: true))).Ids];
    }

    /// <summary>The text of a record as the template writes it.</summary>
    /// <param name="record">The record.</param>
    /// <param name="openAnswer">See <see cref="InstructionTemplate.Render"/>.</param>
    /// <returns>The text, control tokens written out; without what the tokenizer itself puts before a text.</returns>
    /// <exception cref="TokenDataException">The record does not fit the template.</exception>
    public string Render(InstructionRecord record, bool openAnswer = false)
    {
        ArgumentNullException.ThrowIfNull(record);
        return string.Concat(_template.Render(record, _tokens, openAnswer).Select(p => p.Text));
    }

    /// <summary>Ids and labels with what does not fit cut off, and whether anything was; labels may all be ignored.</summary>
    internal (TokenSample Sample, bool Cut) EncodeWhole(InstructionRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        IReadOnlyList<PromptSegment> pieces = Known(_template.Render(record, _tokens));
        (List<int> ids, List<int> labels) = _options.Labels switch
        {
            LabelRule.Segments => Pieces(pieces),
            LabelRule.PromptLength => Whole(record, pieces),
            _ => Counted(pieces),
        };
        bool cut = ids.Count > _options.MaxLength;
        if (cut)
        {
            ids.RemoveRange(_options.MaxLength, ids.Count - _options.MaxLength);
            labels.RemoveRange(_options.MaxLength, labels.Count - _options.MaxLength);
        }

        int[] all = [.. ids];
        return (new TokenSample(all, _options.LearnPrompts ? all : [.. labels], record.Source), cut);
    }

    // A control token that falls into pieces of text would be learned as such, in silence.
    private IReadOnlyList<PromptSegment> Known(IReadOnlyList<PromptSegment> pieces)
    {
        foreach (PromptSegment piece in pieces)
            if (!_options.SpellMissingTokens && piece.IsToken && piece.Text.Length > 0 && _tokenizer.TokenToId(piece.Text) is null)
                throw new TokenDataException($"The template '{_template.Name}' writes the control token {piece.Text}, which the tokenizer's vocabulary lacks. Use another template, a tokenizer and model that have the token, or {nameof(InstructionTokenizerOptions.SpellMissingTokens)} to write it as text (--spell-tokens).");
        return pieces;
    }

    private (List<int> Ids, List<int> Labels) Pieces(IReadOnlyList<PromptSegment> pieces)
    {
        List<int> ids = _template.TokenizerBegins ? [.. _encoder.Begin] : [];
        var labels = Enumerable.Repeat(TrainingBatch.Ignored, ids.Count).ToList();
        bool atStart = true;
        for (int i = 0; i < pieces.Count; i++)
        {
            PromptSegment piece = pieces[i];
            if (piece.IsToken && i == pieces.Count - 1 && _template.EndsOnce && piece.Text == _tokens.End && ids.Count > 0 && ids[^1] == _tokenizer.EosTokenId)
                break;
            int[] next = piece.IsToken && piece.Text.Length > 0 && _tokenizer.TokenToId(piece.Text) is int token ? [token] : _encoder.Encode(piece.Text, atStart);
            ids.AddRange(next);
            labels.AddRange(piece.Learn ? next : Enumerable.Repeat(TrainingBatch.Ignored, next.Length));
            atStart = piece.IsToken && piece.Text == _tokens.Begin;
        }

        return (ids, labels);
    }

    // The text as a whole; the end token goes on as an id, which is what it becomes as text.
    private (List<int> Ids, List<int> Labels) Whole(InstructionRecord record, IReadOnlyList<PromptSegment> pieces)
    {
        int first = 0;
        while (first < pieces.Count && !pieces[first].Learn)
            first++;
        if (pieces.Skip(first).Any(p => !p.Learn && p.Text.Length > 0 && p.Text != "\n"))
            throw new TokenDataException($"{(record.Source.Length > 0 ? record.Source : "A record")}: the label rule PromptLength knows one answer, but there are several. Use Segments.");
        bool ends = pieces is [.., { IsToken: true } last] && last.Text == _tokens.End;
        List<int> ids = [.. Text(string.Concat(pieces.SkipLast(ends ? 1 : 0).Select(p => p.Text)))];
        if (ends && !(_template.EndsOnce && ids.Count > 0 && ids[^1] == _tokenizer.EosTokenId))
            ids.Add(_tokenizer.EosTokenId!.Value);
        int[] prompt = Text(string.Concat(pieces.Take(first).Select(p => p.Text)));
        int masked = Math.Min(prompt.Length, _options.MaxLength);
        if (_options.CountPromptWithEnd)
            masked += (prompt.Length < _options.MaxLength && prompt[^1] != _tokenizer.EosTokenId ? 1 : 0) - 1;
        return (ids, [.. ids.Select((id, i) => i < masked ? TrainingBatch.Ignored : id)]);
    }

    private (List<int> Ids, List<int> Labels) Counted(IReadOnlyList<PromptSegment> pieces)
    {
        string text = string.Concat(pieces.Select(p => p.Text));
        List<int> ids = [.. Text(text)];
        return (ids, FastChatLabels.Of(text, ids, _options.MaxLength, _tokens.End, _tokenizer, _encoder));
    }

    private int[] Text(string text) => _template.TokenizerBegins ? [.. _encoder.Begin, .. _tokenizer.Encode(text, addSpecialTokens: false)] : _tokenizer.Encode(text, addSpecialTokens: false);
}
