using LlmShearing.Data.Batches;
using LlmShearing.Training.Steps;

namespace LlmShearing.Data.Samples;

/// <summary>Evaluation sets from token rows.</summary>
public static class EvaluationRows
{
    /// <summary>Micro-batches of the first rows of a domain, in the order in which they are stored. May be gone through again and again; each time the rows are read anew.</summary>
    /// <param name="domain">The domain; its rows stay the caller's to dispose.</param>
    /// <param name="batchSize">Rows of a micro-batch, at least 1; the last one may have fewer.</param>
    /// <param name="rows">Number of rows from the first; null = all.</param>
    /// <returns>Micro-batches, made as they are asked for. Rows of different lengths stand in batches of equal lengths, none padded.</returns>
    /// <exception cref="TokenDataException">The domain has fewer rows, none, or a row with fewer than 2 tokens.</exception>
    public static IEnumerable<TrainingBatch> Batches(TokenDomain domain, int batchSize = 1, long? rows = null)
    {
        ArgumentNullException.ThrowIfNull(domain);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        long count = rows ?? domain.Rows.Count;
        if (count < 1 || count > domain.Rows.Count)
            throw new TokenDataException($"Domain '{domain.Name}' ({domain.Rows.Name}) has {domain.Rows.Count} rows, but {count} are asked for. Ask for at least one and no more than there are.");
        return Read(domain, batchSize, count);
    }

    private static IEnumerable<TrainingBatch> Read(TokenDomain domain, int batchSize, long count)
    {
        for (long first = 0; first < count;)
        {
            int length = domain.Rows.Length(first), size = 1;
            if (length < 2)
                throw new TokenDataException($"Row {first} of domain '{domain.Name}' ({domain.Rows.Name}) has {length} tokens; a loss needs at least 2.");
            while (size < batchSize && first + size < count && domain.Rows.Length(first + size) == length)
                size++;
            int[] ids = new int[checked(size * length)];
            for (int r = 0; r < size; r++)
                domain.Rows.Read(first + r, ids.AsSpan(r * length, length));
            string source = size == 1 ? $"{domain.Name} row {first}" : $"{domain.Name} rows {first}-{first + size - 1}";
            yield return new TrainingBatch(new TokenBatch(size, length, ids), source: source, domains: [.. Enumerable.Repeat(domain.Name, size)]);
            first += size;
        }
    }
}
