using LlmShearing.Data.Domains;

namespace LlmShearing.Data.Batches;

/// <summary>A place in the rows of one domain.</summary>
internal sealed class DomainCursor(TokenDomain domain, DomainBatchesOptions options, int sequenceLength)
{
    private readonly ulong _seed = Mixing.Derive(options.Seed, domain.Name);
    private RowPermutation _order;
    private long _orderEpoch = -1;
    private int[] _long = [];

    public string Name => domain.Name;

    public long Count => domain.Rows.Count;

    /// <summary>The epoch, and how many of its rows were given out.</summary>
    public (long Epoch, long Position) Place { get; set; }

    /// <summary>The row to read next; false when there is none and the policy is to stop.</summary>
    public bool TryNext(ExhaustionPolicy policy, out long row)
    {
        (long epoch, long position) = Place;
        if (position == Count)
        {
            row = -1;
            if (policy == ExhaustionPolicy.Stop)
                return false;
            if (policy == ExhaustionPolicy.Error)
                throw new TokenDataException($"Domain '{Name}' has given all its {Count} rows. Prepare more, lower its proportion, train fewer steps, or let its next epoch begin.");
            (epoch, position) = (epoch + 1, 0);
        }

        if (_orderEpoch != epoch)
            (_order, _orderEpoch) = (new RowPermutation(Count, Mixing.Mix(_seed ^ (ulong)epoch)), epoch);
        row = options.Shuffle ? _order.At(position) : position;
        Place = (epoch, position + 1);
        return true;
    }

    /// <summary>Reads and checks a row.</summary>
    public void Read(long row, Span<int> destination)
    {
        int length = domain.Rows.Length(row);
        if (length < sequenceLength || (length > sequenceLength && !options.CutRows))
            throw new TokenDataException($"Row {row} of domain '{Name}' ({domain.Rows.Name}) has {length} tokens, expected {sequenceLength}. Prepare the rows with that length{(length > sequenceLength ? ", or let longer rows be cut" : "")}.");
        if (length == sequenceLength)
        {
            domain.Rows.Read(row, destination);
        }
        else
        {
            if (_long.Length < length)
                _long = new int[length];
            domain.Rows.Read(row, _long.AsSpan(0, length));
            _long.AsSpan(0, sequenceLength).CopyTo(destination);
        }

        int limit = options.VocabularySize ?? int.MaxValue;
        for (int t = 0; t < destination.Length; t++)
            if ((uint)destination[t] >= (uint)limit)
                throw new TokenDataException($"Row {row}, token {t} of domain '{Name}' ({domain.Rows.Name}): id {destination[t]} is outside the vocabulary of {limit}. Use rows made with the model's tokenizer.");
    }
}
