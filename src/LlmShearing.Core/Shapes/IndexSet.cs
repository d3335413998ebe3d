// A sorted set of indices, written as ranges in plan files: "0-3,7".
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using LlmShearing.Shapes;

namespace LlmShearing;

/// <summary>An immutable, ascending set of distinct 0-based indices.</summary>
public sealed class IndexSet : IEquatable<IndexSet>
{
    private IndexSet(ImmutableArray<int> indices) => Indices = indices;

    /// <summary>The empty set.</summary>
    public static IndexSet Empty { get; } = new([]);

    /// <summary>The indices, ascending.</summary>
    public ImmutableArray<int> Indices { get; }

    /// <summary>How many there are.</summary>
    public int Count => Indices.Length;

    /// <summary>Whether this is exactly 0 to <paramref name="size"/> - 1.</summary>
    /// <param name="size">Number of units in the source.</param>
    /// <returns>True when nothing is left out.</returns>
    public bool IsAll(int size) => Count == size && (size == 0 || Indices[^1] == size - 1);

    /// <summary>The set 0 .. <paramref name="size"/> - 1.</summary>
    /// <param name="size">Number of units.</param>
    /// <returns>The full set.</returns>
    public static IndexSet All(int size) => new([.. Enumerable.Range(0, size)]);

    /// <summary>Makes a set; order does not matter.</summary>
    /// <param name="indices">Distinct, not negative.</param>
    /// <returns>The set.</returns>
    /// <exception cref="PlanException">An index is negative or occurs twice.</exception>
    public static IndexSet Of(IEnumerable<int> indices)
    {
        ImmutableArray<int> sorted = [.. indices.Order()];
        for (int i = 0; i < sorted.Length; i++)
        {
            if (sorted[i] < 0)
                throw new PlanException($"Index {sorted[i]} is negative.");
            if (i > 0 && sorted[i] == sorted[i - 1])
                throw new PlanException($"Index {sorted[i]} occurs twice.");
        }

        return new IndexSet(sorted);
    }

    /// <summary>Reads the range form, for example <c>0-3,7</c>; empty text is the empty set.</summary>
    /// <param name="text">Ascending ranges separated by commas.</param>
    /// <returns>The set.</returns>
    /// <exception cref="PlanException">The text is not of that form.</exception>
    public static IndexSet Parse(string text) => Parse(text, ShapeRules.MaxSize);

    /// <summary>Reads the range form of a set of units of which there are <paramref name="size"/>.</summary>
    /// <param name="text">Ascending ranges separated by commas; empty text is the empty set.</param>
    /// <param name="size">Number of units; indices are below it. Checked before ranges are expanded.</param>
    /// <returns>The set.</returns>
    /// <exception cref="PlanException">The text is not of that form, or names an index that does not exist.</exception>
    public static IndexSet Parse(string text, int size)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length == 0)
            return Empty;
        var indices = ImmutableArray.CreateBuilder<int>();
        foreach (string part in text.Split(','))
        {
            string[] ends = part.Split('-');
            if (ends.Length > 2 || !TryRead(ends[0], out int first) || !TryRead(ends[^1], out int last) || last < first)
                throw new PlanException($"'{part}' in '{Shorten(text)}' is not an index or a range such as 0-3.");
            if (indices.Count > 0 && first <= indices[^1])
                throw new PlanException($"'{part}' in '{Shorten(text)}' does not come after {indices[^1]}. Write ranges in ascending order without overlap.");
            if (last >= size)
                throw new PlanException($"'{part}' in '{Shorten(text)}' goes beyond the {size} units there are; the last one has index {size - 1}.");
            for (int i = first; i <= last; i++)
                indices.Add(i);
        }

        return new IndexSet(indices.ToImmutable());
    }

    /// <summary>The indices of <paramref name="next"/> applied on top of this set: entry i of the result is this set's entry number next[i].</summary>
    /// <param name="next">Positions in this set.</param>
    /// <returns>The composed set.</returns>
    /// <exception cref="PlanException">A position is outside this set.</exception>
    public IndexSet Then(IndexSet next)
    {
        ArgumentNullException.ThrowIfNull(next);
        if (next.Count > 0 && next.Indices[^1] >= Count)
            throw new PlanException($"The second plan keeps unit {next.Indices[^1]}, but only {Count} units are left after the first.");
        return new IndexSet([.. next.Indices.Select(i => Indices[i])]);
    }

    /// <inheritdoc/>
    public bool Equals(IndexSet? other) => other is not null && Indices.AsSpan().SequenceEqual(other.Indices.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as IndexSet);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (int i in Indices)
            hash.Add(i);
        return hash.ToHashCode();
    }

    /// <summary>The range form, for example <c>0-3,7</c>.</summary>
    /// <returns>Text that <see cref="Parse(string)"/> reads.</returns>
    public override string ToString()
    {
        var text = new StringBuilder();
        for (int i = 0; i < Count;)
        {
            int end = i;
            while (end + 1 < Count && Indices[end + 1] == Indices[end] + 1)
                end++;
            if (text.Length > 0)
                text.Append(',');
            text.Append(Indices[i]);
            if (end > i)
                text.Append('-').Append(Indices[end]);
            i = end + 1;
        }

        return text.ToString();
    }

    private static bool TryRead(string text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..57] + "...";
}
