// Which samples share a row. Only lengths matter, so a plan is made once and rows are put together when they are needed.
namespace LlmShearing.Data.Samples;

/// <summary>Plans the packing of samples into rows.</summary>
public static class SamplePacking
{
    /// <summary>Plans rows. Deterministic: ties keep the order of the samples.</summary>
    /// <param name="lengths">Tokens of each sample; empty samples are left out.</param>
    /// <param name="rowLength">Most tokens of a row, at least 1.</param>
    /// <param name="strategy">How.</param>
    /// <returns>Rows in TRL's order, each of at most <paramref name="rowLength"/> tokens.</returns>
    /// <exception cref="TokenDataException">A length is negative, or there is no such strategy.</exception>
    public static IReadOnlyList<IReadOnlyList<PackedSegment>> Plan(IReadOnlyList<int> lengths, int rowLength, PackingStrategy strategy)
    {
        ArgumentNullException.ThrowIfNull(lengths);
        ArgumentOutOfRangeException.ThrowIfLessThan(rowLength, 1);
        for (int i = 0; i < lengths.Count; i++)
            if (lengths[i] < 0)
                throw new TokenDataException($"Sample {i} has {lengths[i]} tokens; a length is 0 or more.");
        return strategy switch
        {
            PackingStrategy.BestFit => BestFit(lengths.Select((length, i) => new PackedSegment(i, 0, Math.Min(length, rowLength))), rowLength),
            PackingStrategy.BestFitSplit => BestFit(lengths.SelectMany((length, i) => Split(i, length, rowLength)), rowLength),
            PackingStrategy.Wrapped => Wrapped(lengths, rowLength),
            _ => throw new TokenDataException($"Packing strategy {(int)strategy} is unknown; use one of {string.Join(", ", Enum.GetNames<PackingStrategy>())}."),
        };
    }

    private static IEnumerable<PackedSegment> Split(int sample, int length, int rowLength)
    {
        for (int start = 0; start < length; start += rowLength)
            yield return new PackedSegment(sample, start, Math.Min(rowLength, length - start));
    }

    // Each piece goes to the row with the least room that suffices; among rows with equal room to the one that has had it longest.
    private static List<List<PackedSegment>> BestFit(IEnumerable<PackedSegment> pieces, int rowLength)
    {
        var rows = new List<List<PackedSegment>>();
        var byRoom = new Dictionary<int, Queue<int>>();
        var rooms = new SortedSet<int>();
        foreach (PackedSegment piece in pieces.Where(p => p.Length > 0).OrderByDescending(p => p.Length))
        {
            int room = rooms.GetViewBetween(piece.Length, rowLength).Min;   // 0 = none
            int row;
            if (room == 0)
            {
                (row, room) = (rows.Count, rowLength);
                rows.Add([]);
            }
            else
            {
                row = byRoom[room].Dequeue();
                if (byRoom[room].Count == 0)
                    rooms.Remove(room);
            }

            rows[row].Add(piece);
            int left = room - piece.Length;
            if (left == 0)
                continue;
            if (!byRoom.TryGetValue(left, out Queue<int>? queue))
                byRoom[left] = queue = new Queue<int>();
            queue.Enqueue(row);
            rooms.Add(left);
        }

        return rows;
    }

    private static List<List<PackedSegment>> Wrapped(IReadOnlyList<int> lengths, int rowLength)
    {
        var rows = new List<List<PackedSegment>>();
        int room = 0;
        for (int sample = 0; sample < lengths.Count; sample++)
        {
            for (int start = 0; start < lengths[sample];)
            {
                if (room == 0)
                {
                    rows.Add([]);
                    room = rowLength;
                }

                int length = Math.Min(room, lengths[sample] - start);
                rows[^1].Add(new PackedSegment(sample, start, length));
                (start, room) = (start + length, room - length);
            }
        }

        return rows;
    }
}
