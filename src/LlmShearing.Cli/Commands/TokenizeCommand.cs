// shear tokenize: a corpus of text into token rows, by domain.
using System.CommandLine;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Corpus;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;
using LlmShearing.Files;
using LlmShearing.Tokenizers;
using Spectre.Console;

namespace LlmShearing.Cli.Commands;

internal sealed class TokenizeCommand : ShearCommand
{
    private readonly Argument<string[]> _inputs = new("INPUT")
    {
        Description = "Text: a file, a folder with a subfolder for each domain, or NAME=PATH for a domain of that name. JSON Lines (.jsonl) or plain text (.txt, .md), also .gz and .zst.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string?> _tokenizer = Opt.Text("--tokenizer", "MODEL", "Hugging Face folder, or a tokenizer.json or tokenizer.model file. Required.");
    private readonly Option<int?> _length = Opt.Int("--length", "N", "Token ids a row.", 1, CorpusTokenizerOptions.DefaultRowLength, maximum: Limits.RowLength);
    private readonly Option<string?> _out = Opt.Text("--out", "DIR", "Output folder; each domain becomes a subfolder. Required.");
    private readonly Option<int?> _workers = Opt.Int("--workers", "N", "Threads that encode; the rows do not depend on it. [default: the machine's cores]", 1, maximum: Limits.Threads);
    private readonly Option<bool> _noBos = Opt.Flag("--no-bos", "Put no BOS in front of documents.");
    private readonly Option<bool> _noEos = Opt.Flag("--no-eos", "Put no EOS behind documents.");
    private readonly Option<string?> _remainder = Opt.Choice("--remainder", "The end of a file that fills no row: carried over to the next file of the domain, dropped, or dropped by LLM-Shearing's rule. [default: carry]", "carry", "drop", "llm-shearing");
    private readonly Option<bool> _keepEmpty = Opt.Flag("--keep-empty", "Give an empty document its BOS and EOS, as LLM-Shearing does, instead of leaving it out.");
    private readonly Option<bool> _replaceInvalid = Opt.Flag("--replace-invalid", "Replace text that is no UTF-8 by U+FFFD instead of stopping.");
    private readonly Option<string?> _field = Opt.Text("--field", "NAME", $"Member of the JSON Lines records that holds the text. [default: {CorpusTokenizerOptions.DefaultTextField}]");
    private readonly Option<long?> _shardSize = Opt.Size("--shard-size", "Largest size of a shard file.", "268 MB");
    private readonly Option<string?> _format = RowsFormat.Option("own");
    private readonly Option<bool> _overwrite = Opt.Flag("--overwrite", "Replace rows in the output folder that were made with other settings or from other files.");

    public TokenizeCommand(Surroundings surroundings)
        : base(
            surroundings,
            "tokenize",
            "Encodes a corpus into rows of token ids for training, by domain. A run that was stopped goes on where it was.",
            "shear tokenize corpus/ --tokenizer MODEL --length 4096 --out rows/",
            "shear tokenize web=crawl/ wiki=dumps/wiki.jsonl.gz --tokenizer MODEL --length 2048 --out rows/",
            "shear tokenize corpus/ --tokenizer tokenizer.model --length 4096 --remainder llm-shearing --keep-empty --format mds --out rows/")
    {
        Arguments.Add(_inputs);
        AddOptions(_tokenizer, _length, _out, _workers, _noBos, _noEos, _remainder, _keepEmpty, _replaceInvalid, _field, _shardSize, _format, _overwrite);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        string output = run.Get(_out) ?? throw new UsageException("There is no output folder. Give --out DIR.");
        string tokenizerPath = run.Get(_tokenizer) ?? throw new UsageException("There is no tokenizer. Give --tokenizer MODEL.");
        CorpusDomain[] domains = [.. run.Get(_inputs).SelectMany(Domains)];
        var options = new CorpusTokenizerOptions
        {
            RowLength = run.Get(_length)!.Value,
            AddBos = !run.Get(_noBos),
            AddEos = !run.Get(_noEos),
            Remainder = run.Get(_remainder) switch
            {
                "drop" => RowRemainder.Drop,
                "llm-shearing" => RowRemainder.DropAsLlmShearing,
                _ => RowRemainder.Carry,
            },
            KeepEmptyDocuments = run.Get(_keepEmpty),
            InvalidText = run.Get(_replaceInvalid) ? InvalidTextPolicy.Replace : InvalidTextPolicy.Refuse,
            TextField = run.Get(_field) ?? CorpusTokenizerOptions.DefaultTextField,
            Workers = run.Get(_workers) ?? Environment.ProcessorCount,
            ShardBytes = run.Get(_shardSize) ?? CorpusTokenizerOptions.DefaultShardBytes,
            Overwrite = run.Get(_overwrite),
        };
        var tokenizer = new CorpusTokenizer(TokenizerLoader.Load(tokenizerPath), options);
        long start = run.Surroundings.Time.GetTimestamp();
        CorpusReport report = RowsFormat.Parse(run.Get(_format)) is { } format
            ? TokenizeAndExport(run, tokenizer, domains, output, format)
            : tokenizer.Tokenize(domains, output, run.Progress, run.Cancellation);
        double seconds = run.Surroundings.Time.GetElapsedTime(start).TotalSeconds;
        run.Result(() => Json(report, output, options.RowLength, seconds), console => Print(console, report, output, options.RowLength, seconds));
    }

    // Other formats are written from finished shards, so that a stopped run goes on all the same.
    private CorpusReport TokenizeAndExport(Invocation run, CorpusTokenizer tokenizer, CorpusDomain[] domains, string output, TokenRowsFormat format)
    {
        string work = Path.Combine(output, ".rows"), done = Path.Combine(output, ".rows.done");
        if (Directory.Exists(done))
            FileSteps.DeleteFolder(done);
        string[] paths = [.. domains.Select(d => RowsFormat.PathOf(output, d.Name, format))];
        bool complete = paths.All(RowsOnDisk.Exist), begun = Directory.Exists(work);
        if (!complete && !begun)
            foreach (CorpusDomain domain in domains)
                RowsFormat.EnsureFree(output, domain.Name, format);
        if (complete && !begun)
        {
            foreach (string path in paths)
                EnsureLength(path, run.Get(_length)!.Value);
            run.Note($"'{output}' holds rows already: the text is encoded again to see whether they are what this command writes.");
        }

        CorpusReport report;
        try
        {
            report = tokenizer.Tokenize(domains, work, run.Progress, run.Cancellation);
            foreach (CorpusDomainReport domain in report.Domains)
                Export(run, domain, RowsFormat.PathOf(output, domain.Name, format), format);
        }
        catch when (complete && !begun && Directory.Exists(work))
        {
            // It was only for the comparison.
            FileSteps.DeleteFolder(work);
            throw;
        }

        // Renamed first: what is half deleted must not look like a run to go on with.
        FileSteps.MoveFolder(work, done);
        FileSteps.DeleteFolder(done);
        if (complete)
            run.Note($"'{output}' is complete: it holds exactly what this command writes.");
        return new CorpusReport([.. report.Domains.Select(d => d with { Folder = RowsFormat.PathOf(output, d.Name, format) })]);
    }

    private void Export(Invocation run, CorpusDomainReport domain, string path, TokenRowsFormat format)
    {
        using ITokenRows rows = TokenRows.Open(domain.Folder);
        if (!RowsOnDisk.Exist(path))
            TokenRowsExport.Write(rows, path, format, run.Get(_shardSize), run.Progress, run.Cancellation);
        else if (!RowsOnDisk.Are(path, rows, format))
            throw Taken(path);
    }

    private static void EnsureLength(string path, int length)
    {
        try
        {
            using ITokenRows rows = TokenRows.Open(path);
            if (rows.RowLength == length)
                return;
        }
        catch (TokenDataException)
        {
        }

        throw Taken(path);
    }

    private static UsageException Taken(string path) => new($"'{path}' holds rows already, and not those that this command writes. Choose another --out or remove it.");

    /// <summary>NAME=PATH, unless a file or folder is named just so.</summary>
    private static IReadOnlyList<CorpusDomain> Domains(string input)
    {
        int split = input.IndexOf('=', StringComparison.Ordinal);
        return split <= 0 || File.Exists(input) || Directory.Exists(input) ? CorpusDomain.Discover(input) : [CorpusDomain.Of(input[..split], input[(split + 1)..])];
    }

    private static JsonObject Json(CorpusReport report, string output, int length, double seconds) => new()
    {
        ["out"] = output,
        ["row_length"] = length,
        ["rows"] = report.Rows,
        ["tokens"] = report.Tokens,
        ["seconds"] = seconds,
        ["domains"] = new JsonArray([.. report.Domains.Select(d => new JsonObject
        {
            ["name"] = d.Name,
            ["folder"] = d.Folder,
            ["rows"] = d.Rows,
            ["tokens"] = d.Tokens,
            ["dropped_tokens"] = d.DroppedTokens,
            ["documents"] = d.Documents,
            ["empty_documents"] = d.EmptyDocuments,
            ["repaired_documents"] = d.RepairedDocuments,
            ["files"] = d.Files,
            ["files_skipped"] = d.FilesSkipped,
        })]),
    };

    private static void Print(IAnsiConsole console, CorpusReport report, string output, int length, double seconds)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn("domain");
        foreach (string column in new[] { "rows", "tokens", "dropped", "documents", "empty", "repaired", "files", "done before" })
            table.AddColumn(new TableColumn(column).RightAligned());
        foreach (CorpusDomainReport d in report.Domains)
            table.AddRow([new Text(d.Name), .. new[] { d.Rows, d.Tokens, d.DroppedTokens, d.Documents, d.EmptyDocuments, d.RepairedDocuments, d.Files, d.FilesSkipped }.Select(n => new Text(Numbers.Count(n)))]);
        console.Write(table);
        console.Line($"{Numbers.Count(report.Rows)} rows of {length} ids written to {output} in {Numbers.Significant(seconds, 3)} s");
    }
}
