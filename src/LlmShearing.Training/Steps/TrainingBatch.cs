// What one micro-batch of training consists of: ids, what is scored, where documents begin, and where it all came from.
namespace LlmShearing.Training.Steps;

/// <summary>One micro-batch: token ids with labels, positions and the place in the data that it came from. Managed memory only.</summary>
public sealed class TrainingBatch
{
    /// <summary>Label of a token that is not scored.</summary>
    public const int Ignored = -100;

    private readonly int[]? _labels;
    private readonly long[]? _positions;

    /// <summary>Creates a micro-batch.</summary>
    /// <param name="tokens">Ids [B, T] and attention mask.</param>
    /// <param name="labels">Label of each token [B, T], row-major and not shifted: the label at t is predicted from t - 1. <see cref="Ignored"/> = not scored.
    /// Null = every real token is its own label.</param>
    /// <param name="positions">Position of each token [B, T] for packed rows: a document begins where a position is not one more than the one before, and
    /// attention stays inside it. Null = 0..T-1 and plain causal attention.</param>
    /// <param name="source">Where the rows came from, for error messages, for example "wiki rows 12-15 of epoch 0".</param>
    /// <param name="domains">Domain of each row [B]; null when there are none.</param>
    /// <exception cref="TokenDataException">A length does not agree with the ids, or packed rows have an attention mask.</exception>
    public TrainingBatch(TokenBatch tokens, int[]? labels = null, long[]? positions = null, string source = "", IReadOnlyList<string>? domains = null)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(source);
        int n = tokens.Ids.Length;
        if (labels is not null && labels.Length != n)
            throw new TokenDataException($"There are {labels.Length} labels for {n} tokens ({source}). Give one for each token.");
        if (positions is not null && positions.Length != n)
            throw new TokenDataException($"There are {positions.Length} positions for {n} tokens ({source}). Give one for each token.");
        if (positions is not null && tokens.HasPadding)
            throw new TokenDataException($"A packed batch has no attention mask ({source}). Give padding a label of {Ignored} and a document of its own.");
        if (domains is not null && domains.Count != tokens.BatchSize)
            throw new TokenDataException($"There are {domains.Count} domains for {tokens.BatchSize} rows ({source}). Give one for each row.");
        (Tokens, _labels, _positions, Source, Domains) = (tokens, labels, positions, source, domains);
    }

    /// <summary>Ids and attention mask.</summary>
    public TokenBatch Tokens { get; }

    /// <summary>Label of each token [B, T]; empty when every real token is its own label.</summary>
    public ReadOnlySpan<int> Labels => _labels;

    /// <summary>Position of each token [B, T] of packed rows; empty otherwise.</summary>
    public ReadOnlySpan<long> Positions => _positions;

    /// <summary>Whether rows hold several documents that do not see each other.</summary>
    public bool IsPacked => _positions is not null;

    /// <summary>Where the rows came from.</summary>
    public string Source { get; }

    /// <summary>Domain of each row, or null.</summary>
    public IReadOnlyList<string>? Domains { get; }

    /// <summary>Labels that are not <see cref="Ignored"/>, the first of a row included though nothing predicts it (transformers counts like this).</summary>
    public int LabelCount
    {
        get
        {
            int count = 0;
            for (int row = 0; row < Tokens.BatchSize; row++)
                for (int t = 0; t < Tokens.SequenceLength; t++)
                    count += Label(row, t) != Ignored ? 1 : 0;
            return count;
        }
    }

    /// <summary>The label of a token, or <see cref="Ignored"/>.</summary>
    /// <param name="row">0-based row.</param>
    /// <param name="position">0-based index in the row.</param>
    /// <returns>A token id or <see cref="Ignored"/>.</returns>
    public int Label(int row, int position)
    {
        int i = (row * Tokens.SequenceLength) + position;
        return _labels is not null ? _labels[i] : Tokens.IsReal(row, position) ? Tokens.Ids[i] : Ignored;
    }

    /// <summary>The predictions that count: flat indices p = row * T + t of the states that predict, and the ids at t + 1 that they should predict.</summary>
    /// <returns>Two arrays [N]; N may be 0.</returns>
    public (long[] Positions, long[] Targets) Scored()
    {
        var positions = new List<long>(Tokens.Ids.Length);
        var targets = new List<long>(Tokens.Ids.Length);
        for (int row = 0; row < Tokens.BatchSize; row++)
        {
            for (int t = 0; t + 1 < Tokens.SequenceLength; t++)
            {
                int p = (row * Tokens.SequenceLength) + t;
                bool sameDocument = _positions is null ? Tokens.IsReal(row, t) : _positions[p + 1] == _positions[p] + 1;
                if (!sameDocument || Label(row, t + 1) is not (>= 0 and int target))
                    continue;
                positions.Add(p);
                targets.Add(target);
            }
        }

        return ([.. positions], [.. targets]);
    }
}
