using System.Text.Json;
using LlmShearing.Data.Rows;
using LlmShearing.Files;
using LlmShearing.Json;

namespace LlmShearing.Data.Split;

/// <summary>The rows of one domain that each set gets.</summary>
/// <param name="Name">The domain.</param>
/// <param name="Rows">Rows that the domain has.</param>
/// <param name="Sets">Row numbers by set, ascending.</param>
/// <param name="Files">Source files by set, when the split is by files.</param>
public sealed record SplitDomain(string Name, long Rows, IReadOnlyDictionary<string, IReadOnlyList<long>> Sets, IReadOnlyDictionary<string, IReadOnlyList<string>> Files)
{
    /// <summary>Rows in no set.</summary>
    public long Unused => Rows - Sets.Values.Sum(s => (long)s.Count);
}

/// <summary>
/// Which rows of which domain are in which set. It is the proof that the sets are disjoint: it lists the rows, and can only be made, or read back, when no row is in two sets.
/// </summary>
public sealed class SplitPlan
{
    private const string Format = "shear-split";
    private const int Version = 1;
    private const long MaxBytes = 1L << 31;
    private const int MaxEntries = 1_000_000;

    /// <summary>Creates a plan and checks it.</summary>
    /// <param name="unit">What stayed together.</param>
    /// <param name="seed">The seed it was drawn with.</param>
    /// <param name="domains">By domain; every domain has the same sets.</param>
    /// <exception cref="TokenDataException">A row is in two sets, out of order, or outside its domain; a held-out file is shared.</exception>
    public SplitPlan(SplitUnit unit, int seed, IReadOnlyList<SplitDomain> domains)
    {
        ArgumentNullException.ThrowIfNull(domains);
        (Unit, Seed, Domains) = (unit, seed, domains);
        foreach (SplitDomain domain in domains)
            Check(domain);
    }

    /// <summary>What stayed together.</summary>
    public SplitUnit Unit { get; }

    /// <summary>The seed it was drawn with.</summary>
    public int Seed { get; }

    /// <summary>By domain.</summary>
    public IReadOnlyList<SplitDomain> Domains { get; }

    /// <summary>Names of the sets.</summary>
    public IReadOnlyList<string> Sets => Domains.Count == 0 ? [] : [.. Domains[0].Sets.Keys];

    /// <summary>The rows of one set in one domain, without copying them.</summary>
    /// <param name="rows">All rows of the domain.</param>
    /// <param name="set">Name of the set.</param>
    /// <returns>The rows; <paramref name="rows"/> stays the caller's to dispose.</returns>
    /// <exception cref="TokenDataException">The plan has no such domain or set, or the domain has another number of rows than the plan was made for.</exception>
    public SelectedTokenRows Select(ITokenRows rows, string set)
    {
        ArgumentNullException.ThrowIfNull(rows);
        SplitDomain domain = Domains.FirstOrDefault(d => d.Name == rows.Name)
            ?? throw new TokenDataException($"The split has no domain '{rows.Name}'; it has: {string.Join(", ", Domains.Select(d => d.Name))}.");
        if (domain.Rows != rows.Count)
            throw new TokenDataException($"The split was made for {domain.Rows} rows of '{domain.Name}'; there are {rows.Count}. Split again.");
        return domain.Sets.TryGetValue(set, out IReadOnlyList<long>? selection)
            ? new SelectedTokenRows(rows, selection)
            : throw new TokenDataException($"The split has no set '{set}'; it has: {string.Join(", ", Sets)}.");
    }

    /// <summary>Writes the manifest: JSON with the rows of every set as ranges.</summary>
    /// <param name="path">The file.</param>
    public void Save(string path) => AtomicFile.Write(path, stream =>
    {
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        writer.WriteStartObject();
        writer.WriteString("format", Format);
        writer.WriteNumber("version", Version);
        writer.WriteString("unit", Unit.ToString());
        writer.WriteNumber("seed", Seed);
        writer.WriteStartArray("domains");
        foreach (SplitDomain domain in Domains)
        {
            writer.WriteStartObject();
            writer.WriteString("name", domain.Name);
            writer.WriteNumber("rows", domain.Rows);
            writer.WriteStartArray("sets");
            foreach ((string set, IReadOnlyList<long> rows) in domain.Sets)
            {
                writer.WriteStartObject();
                writer.WriteString("name", set);
                writer.WriteNumber("count", rows.Count);
                writer.WriteString("rows", RowRanges.Format(rows));
                if (domain.Files.TryGetValue(set, out IReadOnlyList<string>? files))
                {
                    writer.WriteStartArray("files");
                    foreach (string file in files)
                        writer.WriteStringValue(file);
                    writer.WriteEndArray();
                }

                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    });

    /// <summary>Reads a manifest and checks that its sets are disjoint.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="TokenDataException">The file is missing or not valid, or a row is in two sets.</exception>
    public static SplitPlan Load(string path) => StrictJson.ReadFile(path, MaxBytes, (message, cause) => new TokenDataException(message, cause), json =>
    {
        if (json.Text("format") is var format && format != Format)
            throw json.Error("format", $"expected \"{Format}\", found \"{format}\"");
        json.Int("version", Version, Version);
        if (json.Text("unit") is var named && !(Enum.TryParse(named, out SplitUnit unit) && Enum.GetName(unit) == named))   // TryParse also takes numbers
            throw json.Error("unit", $"expected one of {string.Join(", ", Enum.GetNames<SplitUnit>())}");
        int seed = json.Int("seed", int.MinValue, int.MaxValue);
        SplitDomain[] domains = [.. json.Objects("domains", MaxEntries).Select(ReadDomain)];
        json.End();
        return new SplitPlan(unit, seed, domains);
    });

    private static SplitDomain ReadDomain(StrictJson json)
    {
        var sets = new Dictionary<string, IReadOnlyList<long>>(StringComparer.Ordinal);
        var files = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        long rows = json.Long("rows", 0);
        foreach (StrictJson set in json.Objects("sets", MaxEntries))
        {
            string name = set.Text("name");
            long[] selection = RowRanges.Parse(set.Text("rows"), rows);
            if (selection.Length != set.Long("count", 0) || !sets.TryAdd(name, selection))
                throw set.Error("count", $"{selection.Length} rows are listed for '{name}', or the set is there twice");
            if (set.Has("files"))
                files[name] = set.Texts("files", MaxEntries);
            set.End();
        }

        var domain = new SplitDomain(json.Text("name"), rows, sets, files);
        json.End();
        return domain;
    }

    private void Check(SplitDomain domain)
    {
        if (!domain.Sets.Keys.SequenceEqual(Sets))
            throw new TokenDataException($"The domain '{domain.Name}' has the sets {string.Join(", ", domain.Sets.Keys)}; the first domain has {string.Join(", ", Sets)}.");
        var owner = new Dictionary<long, string>();
        foreach ((string set, IReadOnlyList<long> rows) in domain.Sets)
        {
            for (int i = 0; i < rows.Count; i++)
            {
                if (rows[i] < 0 || rows[i] >= domain.Rows || (i > 0 && rows[i] <= rows[i - 1]))
                    throw new TokenDataException($"Row {rows[i]} of the set '{set}' in '{domain.Name}' is out of order, or there is no such row ({domain.Rows} in all).");
                if (!owner.TryAdd(rows[i], set))
                    throw new TokenDataException($"Row {rows[i]} of '{domain.Name}' is in two sets, '{owner[rows[i]]}' and '{set}'.");
            }
        }
    }
}
