// shear split: disjoint sets of rows for evaluation, pruning and continued pretraining.
using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Split;
using LlmShearing.Files;
using LlmShearing.Tokenizers;
using Spectre.Console;

namespace LlmShearing.Cli.Commands;

internal sealed class SplitCommand : ShearCommand
{
    private const string HeldOut = "held-out";
    private const string Prune = "prune";
    private const string Continue = "continue";
    private const string Rest = "rest";
    private const string Manifest = "split.json";

    private readonly Argument<string> _rows = new("ROWS") { Description = "Token rows: the folder that 'shear tokenize' wrote, an MDS data set, or a folder of them." };
    private readonly RowsOptions _read = new();
    private readonly Option<int?> _heldOut = Opt.Int("--held-out", "N", "Rows of each domain for evaluation.", 0);
    private readonly Option<string?> _prune = Opt.Text("--prune", "N", "Rows for pruning: of each domain, or in all with --proportions.");
    private readonly Option<string?> _continue = Opt.Text("--continue", "N|rest", "Rows for continued pretraining: of each domain, or in all with --proportions, or all the rest.");
    private readonly Option<string?> _proportions = Opt.Text("--proportions", "LIST", "Share of each domain in the training sets: cc=0.67,wiki=0.33. Then --prune and --continue are totals.");
    private readonly Option<string?> _unit = Opt.Choice("--unit", "What stays together: single rows, documents, or source files (held-out rows from other files than training rows). [default: rows]", "rows", "documents", "files");
    private readonly Option<string?> _tokenizer = Opt.Text("--tokenizer", "MODEL", "Whose BOS and EOS mark documents; for --unit documents.");
    private readonly Option<int?> _seed = Opt.Int("--seed", "N", "Decides which rows go where.", int.MinValue, 17);
    private readonly Option<string?> _format = Opt.Choice("--format", "Rows of each set as shards, MDS or NumPy, or only split.json with the row numbers. [default: own]", "own", "mds", "npy", "selection");
    private readonly Option<string?> _out = Opt.Text("--out", "DIR", "Output folder: split.json, and SET/DOMAIN with the rows. Required.");

    public SplitCommand(Surroundings surroundings)
        : base(
            surroundings,
            "split",
            "Splits token rows into disjoint sets: held-out, for pruning, for continued pretraining. Stopped or killed, the same command goes on.",
            "shear split rows/ --held-out 500 --prune 10000 --continue rest --out split/",
            "shear split rows/ --held-out 500 --prune 10000 --continue 90000 --proportions cc=0.67,c4-rp=0.15,wiki=0.18 --unit files --out split/",
            "shear split rows/ --held-out 500 --continue rest --unit documents --tokenizer MODEL --format selection --out split/")
    {
        Arguments.Add(_rows);
        AddOptions(_heldOut, _prune, _continue, _proportions, _unit, _tokenizer, _seed, _format, _out);
        AddOptions(_read.All);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        string output = run.Get(_out) ?? throw new UsageException("There is no output folder. Give --out DIR.");
        bool begun = SplitFolder.IsBegun(output);
        SplitOptions options = ReadOptions(run);
        IReadOnlyList<ITokenRows> domains = _read.OpenDomains(run, run.Get(_rows));
        try
        {
            SplitPlan plan = TokenSplitter.Split(domains, Sets(run, domains), options);
            SplitFolder Open() => SplitFolder.Open(output, plan, run.Get(_format) ?? "own");
            if (run.Get(_format) != "selection")
            {
                WriteRows(run, plan, domains, output, begun, Open);
            }
            else
            {
                using SplitFolder folder = Open();
                Finish(run, folder);
            }

            run.Result(() => Json(plan, output), console => Print(console, plan, output));
        }
        finally
        {
            foreach (ITokenRows rows in domains)
                rows.Dispose();
        }
    }

    private SplitOptions ReadOptions(Invocation run)
    {
        SplitUnit unit = run.Get(_unit) switch
        {
            "documents" => SplitUnit.Documents,
            "files" => SplitUnit.Files,
            _ => SplitUnit.Rows,
        };
        ITokenizer? tokenizer = run.Get(_tokenizer) is { } path ? TokenizerLoader.Load(path) : null;
        return new SplitOptions { Unit = unit, Seed = run.Get(_seed)!.Value, BosTokenId = tokenizer?.BosTokenId, EosTokenId = tokenizer?.EosTokenId };
    }

    private List<SplitSet> Sets(Invocation run, IReadOnlyList<ITokenRows> domains)
    {
        Dictionary<string, double>? proportions = run.Get(_proportions) is { } list ? Proportions(list) : null;
        var sets = new List<SplitSet>();
        if (run.Get(_heldOut) is { } heldOut)
            sets.Add(SplitSet.Each(HeldOut, domains, heldOut, heldOut: true));
        foreach ((string name, string? count) in new[] { (Prune, run.Get(_prune)), (Continue, run.Get(_continue)) })
        {
            if (count is null)
                continue;
            if (count == Rest)
                sets.Add(new SplitSet(name, null));
            else if (!long.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out long rows))
                throw new UsageException($"--{name} '{count}' does not fit: give a whole number from 0, or {Rest}.");
            else
                sets.Add(proportions is null ? SplitSet.Each(name, domains, rows) : SplitSet.Shared(name, proportions, rows));
        }

        return sets.Count > 0 ? sets : throw new UsageException("There is no set to split off. Give --held-out, --prune or --continue.");
    }

    private static Dictionary<string, double> Proportions(string list)
    {
        var shares = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (string part in list.Split(',', StringSplitOptions.TrimEntries))
        {
            string[] sides = part.Split('=', 2);
            if (sides.Length != 2 || !double.TryParse(sides[1], NumberStyles.Float, CultureInfo.InvariantCulture, out double share) || !shares.TryAdd(sides[0], share))
                throw new UsageException($"--proportions '{part}' does not fit: give DOMAIN=SHARE, each domain once, such as cc=0.67,wiki=0.33.");
        }

        return shares;
    }

    private void WriteRows(Invocation run, SplitPlan plan, IReadOnlyList<ITokenRows> domains, string output, bool begun, Func<SplitFolder> open)
    {
        TokenRowsFormat format = RowsFormat.Parse(run.Get(_format)) ?? TokenRowsFormat.Shards;
        (string Set, ITokenRows Rows, string Path)[] parts =
        [
            .. plan.Sets.SelectMany(set => domains.Select(d => (set, Rows: (ITokenRows)plan.Select(d, set))).Select(p => (p.set, p.Rows, RowsFormat.PathOf(Path.Combine(output, p.set), p.Rows.Name, format)))),
        ];
        if (!begun)
            foreach ((string set, ITokenRows rows, string _) in parts)
                RowsFormat.EnsureFree(Path.Combine(output, set), rows.Name, format);
        using SplitFolder folder = open();
        foreach ((string set, ITokenRows rows, string path) in parts)
        {
            run.Cancellation.ThrowIfCancellationRequested();
            bool there = RowsOnDisk.Exist(path);
            // A domain without rows in a set has no folder there.
            if (rows.Count == 0 && !there)
                continue;
            if (there || folder.IsComplete)
            {
                if (!there || rows.Count == 0 || !RowsOnDisk.Are(path, rows, format))
                    throw new UsageException($"'{output}' holds a split already, but '{path}' is not what this command writes. Choose another --out or remove it.");
                continue;
            }

            FileSteps.CreateFolder(Path.Combine(output, set));
            TokenRowsExport.Write(rows, path, format, progress: run.Progress, cancellationToken: run.Cancellation);
        }

        Finish(run, folder);
    }

    private static void Finish(Invocation run, SplitFolder folder)
    {
        if (folder.IsComplete)
            run.Note($"'{folder.Folder}' is complete: it holds exactly what this command writes. Nothing was changed.");
        folder.Finish();
    }

    private static JsonObject Json(SplitPlan plan, string output) => new()
    {
        ["out"] = output,
        ["manifest"] = Path.Combine(output, Manifest),
        ["unit"] = plan.Unit.ToString(),
        ["seed"] = plan.Seed,
        ["domains"] = new JsonArray([.. plan.Domains.Select(d => new JsonObject
        {
            ["name"] = d.Name,
            ["rows"] = d.Rows,
            ["sets"] = new JsonObject(d.Sets.Select(s => KeyValuePair.Create(s.Key, (JsonNode?)JsonValue.Create(s.Value.Count)))),
            ["unused"] = d.Unused,
        })]),
    };

    private static void Print(IAnsiConsole console, SplitPlan plan, string output)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn("domain");
        foreach (string column in plan.Sets.Prepend("rows").Append("unused"))
            table.AddColumn(new TableColumn(column).RightAligned());
        foreach (SplitDomain d in plan.Domains)
            table.AddRow([new Text(d.Name), .. plan.Sets.Select(s => (long)d.Sets[s].Count).Prepend(d.Rows).Append(d.Unused).Select(n => new Text(Numbers.Count(n)))]);
        console.Write(table);
        console.Line($"written to {output}; {Manifest} lists the rows of each set");
    }
}
