using LlmShearing.Data.Corpus;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Split;
using LlmShearing.Data.Tests.Corpus;

namespace LlmShearing.Data.Tests.Split;

public sealed class TokenSplitterTests : IDisposable
{
    private const int Bos = 1;
    private const int Eos = 2;
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Rows_CountsAreExactAndSetsDisjoint()
    {
        ITokenRows[] domains = [Domain("a", 100), Domain("b", 37)];
        SplitPlan plan = TokenSplitter.Split(domains, [SplitSet.Each("eval", domains, 10, heldOut: true), SplitSet.Each("prune", domains, 20), new SplitSet("rest", null)]);
        Assert.Equal([(10, 20, 70), (10, 20, 7)], plan.Domains.Select(d => (d.Sets["eval"].Count, d.Sets["prune"].Count, d.Sets["rest"].Count)));
        foreach (SplitDomain domain in plan.Domains)
            Assert.Equal(Enumerable.Range(0, (int)domain.Rows).Select(r => (long)r), domain.Sets.Values.SelectMany(r => r).Order());
        Assert.NotEqual(Enumerable.Range(0, 10).Select(r => (long)r), plan.Domains[0].Sets["eval"]);
        Assert.Equal(domains[1].Row(plan.Domains[1].Sets["prune"][3]), plan.Select(domains[1], "prune").Row(3));
    }

    [Fact]
    public void Seed_DecidesAndOtherDomainsDoNot()
    {
        ITokenRows[] both = [Domain("a", 100), Domain("b", 50)];
        SplitSet[] sets = [new SplitSet("x", new Dictionary<string, long> { ["a"] = 30 })];
        IReadOnlyList<long> Draw(ITokenRows[] domains, int seed) => TokenSplitter.Split(domains, sets, new SplitOptions { Seed = seed }).Domains[0].Sets["x"];
        Assert.Equal(Draw(both, 5), Draw(both, 5));
        Assert.Equal(Draw(both, 5), Draw(both[..1], 5));
        Assert.NotEqual(Draw(both, 5), Draw(both, 6));
    }

    [Fact]
    public void TooFewRows_IsAnErrorNotAShorterSet()
    {
        ITokenRows[] domains = [Domain("a", 10)];
        string message = Assert.Throws<TokenDataException>(() => TokenSplitter.Split(domains, [SplitSet.Each("eval", domains, 4), SplitSet.Each("prune", domains, 7)])).Message;
        Assert.Contains("'a' is too short: 4 rows for 'eval' and 7 rows for 'prune' are wanted, there are 10", message, StringComparison.Ordinal);
        Assert.Empty(TokenSplitter.Split(domains, [SplitSet.Each("eval", domains, 0), SplitSet.Each("all", domains, 10)]).Domains[0].Sets["eval"]);
    }

    [Fact]
    public void Shared_AddsUpToTheTotal()
    {
        var shares = new Dictionary<string, double> { ["cc"] = .67, ["c4"] = .15, ["wiki"] = .045, ["book"] = .045, ["arxiv"] = .025, ["github"] = .045, ["se"] = .02 };
        for (int total = 0; total < 300; total += 7)
        {
            SplitSet set = SplitSet.Shared("x", shares, total);
            Assert.Equal(total, set.RowsByDomain!.Values.Sum());
            Assert.All(set.RowsByDomain, d => Assert.InRange(d.Value, Math.Floor(total * shares[d.Key]), Math.Ceiling(total * shares[d.Key] + 1e-9)));
        }

        Assert.Throws<TokenDataException>(() => SplitSet.Shared("x", new Dictionary<string, double> { ["a"] = 0 }, 1));
    }

    [Fact]
    public void BadRequests_AreRefused()
    {
        ITokenRows[] domains = [Domain("a", 10)];
        Assert.Contains("'b', which is no domain; there are: a", Refused(new SplitSet("x", new Dictionary<string, long> { ["b"] = 1 })), StringComparison.Ordinal);
        Assert.Contains("wants -1 rows", Refused(SplitSet.Each("x", domains, -1)), StringComparison.Ordinal);
        Assert.Contains("Two sets are named", Refused(SplitSet.Each("x", domains, 1), SplitSet.Each("X", domains, 1)), StringComparison.Ordinal);
        Assert.Contains("Only one set can have all the rest", Refused(new SplitSet("x", null), new SplitSet("y", null)), StringComparison.Ordinal);
        Assert.Contains("from is not known", Assert.Throws<TokenDataException>(() => TokenSplitter.Split(domains, [SplitSet.Each("x", domains, 1)], new() { Unit = SplitUnit.Files })).Message, StringComparison.Ordinal);
        Assert.Contains("must be known", Assert.Throws<TokenDataException>(() => TokenSplitter.Split(domains, [SplitSet.Each("x", domains, 1)], new() { Unit = SplitUnit.Documents })).Message, StringComparison.Ordinal);

        string Refused(params SplitSet[] sets) => Assert.Throws<TokenDataException>(() => TokenSplitter.Split(domains, sets)).Message;
    }

    [Fact]
    public void Files_HeldOutRowsComeFromOtherFiles()
    {
        for (int i = 0; i < 8; i++)
            _folder.Write($"in/d/{i}.txt", new string((char)('a' + i), 40 + (i * 8)));
        new CorpusTokenizer(new ByteTokenizer(), new() { RowLength = 8, Remainder = RowRemainder.Drop }).Tokenize(CorpusDomain.Discover(_folder["in"]), _folder["out"]);
        using ITokenRows rows = TokenRows.Open(_folder["out/d"]);
        for (int seed = 0; seed < 20; seed++)
        {
            SplitPlan plan = TokenSplitter.Split([rows], [SplitSet.Each("eval", [rows], 9, heldOut: true), SplitSet.Each("prune", [rows], 10), new SplitSet("rest", null)], new() { Unit = SplitUnit.Files, Seed = seed });
            SplitDomain domain = plan.Domains[0];
            Assert.Equal((9, 10), (domain.Sets["eval"].Count, domain.Sets["prune"].Count));
            // The letter of a row is its file.
            char[] eval = Letters("eval");
            Assert.Empty(eval.Intersect(Letters("prune").Concat(Letters("rest"))));
            Assert.Equal(eval.Select(c => $"{c - 'a'}.txt"), domain.Files["eval"]);

            char[] Letters(string set) => [.. plan.Select(rows, set).All().SelectMany(r => r).Where(id => id > 2).Select(id => (char)(id - 3)).Distinct().Order()];
        }

        Assert.Contains("too short", Assert.Throws<TokenDataException>(() => TokenSplitter.Split([rows], [SplitSet.Each("eval", [rows], 1, true), SplitSet.Each("prune", [rows], rows.Count - 1)], new() { Unit = SplitUnit.Files })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_WithRowsAcrossThem_AreRefused()
    {
        _folder.Write("in/d/a.txt", new string('x', 50));
        new CorpusTokenizer(new ByteTokenizer(), new() { RowLength = 8 }).Tokenize(CorpusDomain.Discover(_folder["in"]), _folder["out"]);
        using ITokenRows rows = TokenRows.Open(_folder["out/d"]);
        Assert.Contains("go over the ends of files", Assert.Throws<TokenDataException>(() => TokenSplitter.Split([rows], [SplitSet.Each("eval", [rows], 1)], new() { Unit = SplitUnit.Files })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Documents_AreInOneSetOnly(bool bos, bool eos)
    {
        for (int seed = 0; seed < 60; seed++)
        {
            (ITokenRows rows, List<HashSet<int>> documents) = Packed(seed, bos, eos);
            var options = new SplitOptions { Unit = SplitUnit.Documents, Seed = seed, BosTokenId = bos ? Bos : null, EosTokenId = eos ? Eos : null };
            SplitPlan plan = TokenSplitter.Split([rows], [SplitSet.Each("eval", [rows], 3, heldOut: true), SplitSet.Each("prune", [rows], 5), new SplitSet("rest", null)], options);
            SplitDomain domain = plan.Domains[0];
            Assert.Equal((3, 5), (domain.Sets["eval"].Count, domain.Sets["prune"].Count));
            HashSet<int>[] seen = [.. domain.Sets.Values.Select(s => s.SelectMany(r => documents[(int)r]).ToHashSet())];
            for (int i = 0; i < seen.Length; i++)
                for (int j = 0; j < i; j++)
                    Assert.Empty(seen[i].Intersect(seen[j]));
            Assert.True(domain.Sets["rest"].Count > 20, "few rows are lost at the seams");
        }
    }

    [Fact]
    public void Manifest_RoundTripsAndIsChecked()
    {
        ITokenRows[] domains = [Domain("a", 40)];
        SplitPlan plan = TokenSplitter.Split(domains, [SplitSet.Each("eval", domains, 5), new SplitSet("rest", null)]);
        string path = _folder["split.json"];
        plan.Save(path);
        SplitPlan loaded = SplitPlan.Load(path);
        Assert.Equal(plan.Domains[0].Sets["eval"], loaded.Domains[0].Sets["eval"]);
        Assert.Equal(plan.Domains[0].Sets["rest"], loaded.Domains[0].Sets["rest"]);
        Assert.Contains("made for 40 rows of 'a'; there are 41", Assert.Throws<TokenDataException>(() => loaded.Select(Domain("a", 41), "eval")).Message, StringComparison.Ordinal);
        string text = File.ReadAllText(path);
        string rest = RowRanges.Format(plan.Domains[0].Sets["rest"]);
        // One row of the rest becomes one of the evaluation rows.
        long stolen = plan.Domains[0].Sets["eval"][0];
        string shared = RowRanges.Format([.. plan.Domains[0].Sets["rest"].Skip(1).Append(stolen).Order()]);
        File.WriteAllText(path, text.Replace($"\"{rest}\"", $"\"{shared}\"", StringComparison.Ordinal));
        Assert.Contains($"Row {stolen} of 'a' is in two sets, 'eval' and 'rest'", Assert.Throws<TokenDataException>(() => SplitPlan.Load(path)).Message, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace($"\"{rest}\"", "\"0-9999999999\"", StringComparison.Ordinal));
        Assert.Contains("is no range of rows", Assert.Throws<TokenDataException>(() => SplitPlan.Load(path)).Message, StringComparison.Ordinal);
    }

    private static MemoryTokenRows Domain(string name, int rows) => new(name, Enumerable.Range(0, rows).Select(r => new[] { r, r + 1 }), 1000);

    // Documents of random length, some longer than several rows, packed into rows of 16; and which documents each row holds a part of.
    private static (ITokenRows Rows, List<HashSet<int>> Documents) Packed(int seed, bool bos, bool eos)
    {
        var random = new Random(seed);
        var ids = new List<int>();
        var owners = new List<int>();
        for (int document = 0; ids.Count < 16 * 80; document++)
        {
            int length = random.Next(10) == 0 ? random.Next(40, 90) : random.Next(1, 20);
            int[] body = [.. bos ? new[] { Bos } : [], .. Enumerable.Repeat(9, length), .. eos ? new[] { Eos } : []];
            ids.AddRange(body);
            owners.AddRange(Enumerable.Repeat(document, body.Length));
        }

        int rows = ids.Count / 16;
        return (new MemoryTokenRows("d", Enumerable.Range(0, rows).Select(r => ids.GetRange(r * 16, 16).ToArray())),
            [.. Enumerable.Range(0, rows).Select(r => owners.GetRange(r * 16, 16).ToHashSet())]);
    }
}
