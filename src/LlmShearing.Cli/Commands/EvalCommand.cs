// shear eval: perplexity of a model, or of a plan before it is applied; over a text, or domain by domain over token rows.
using System.CommandLine;
using LlmShearing.Data.Rows;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Evaluation;
using LlmShearing.Tokenizers;

namespace LlmShearing.Cli.Commands;

internal sealed class EvalCommand : ShearCommand
{
    private readonly ModelOptions _model = new();
    private readonly RowsOptions _read = new();
    private readonly DataOptions _data = new("evaluate on");
    private readonly EvaluationOptions _evaluation = new();
    private readonly Option<string?> _rows = Opt.Text("--data", "FOLDER", "Token rows from 'shear tokenize', instead of text: each domain is measured by itself.");
    private readonly Option<long?> _rowCount = Opt.Long("--rows", "N", "Use the first N rows of each domain of --data. [default: all]", 1);
    private readonly Option<string?> _plan = Opt.Text("--plan", "FILE", "Evaluate the model as this plan would leave it, without cutting.");
    private readonly Option<bool> _perSequence = Opt.Flag("--per-sequence", "Give the loss of every window, too.");
    private readonly Option<int?> _batchTokens = Opt.Int("--batch-tokens", "N", "Tokens that go through a block together.", 1, PerplexityOptions.DefaultBatchTokens, maximum: Limits.RowLength);

    public EvalCommand(Surroundings surroundings)
        : base(
            surroundings,
            "eval",
            "Measures perplexity.",
            "shear eval MODEL --file test.jsonl --protocol shortened-llama",
            "shear eval MODEL --file test.txt --protocol strided --length 1024 --stride 512",
            "shear eval MODEL --ids ids.json --json --per-sequence",
            "shear eval MODEL --plan plan.json --file test.jsonl --stream",
            "shear eval MODEL --data tokens/held-out --rows 100")
    {
        Arguments.Add(_model.Folder);
        AddOptions(_data.All);
        AddOptions(_evaluation.All);
        AddOptions(_rows, _rowCount, _plan, _perSequence, _batchTokens);
        AddOptions(_read.All);
        AddOptions(_model.All);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        string folder = run.Get(_model.Folder);
        _ = _model.Compute.Read(run);
        PruningPlan? plan = run.Get(_plan) is { } path ? PruningPlan.Load(path) : null;
        plan?.EnsureFor(ModelFolder.Config(folder).Shape);
        if (run.Get(_rows) is { } data)
            ByDomain(run, data, plan);
        else if (run.IsGiven(_rowCount))
            throw new UsageException("--rows needs --data.");
        else
            OneText(run, folder, plan);
    }

    private void OneText(Invocation run, string folder, PruningPlan? plan)
    {
        IReadOnlyList<int[]>? ids = _data.Rows(run);
        PerplexityProtocol protocol = _evaluation.Read(run, ids is not null);
        int vocabulary = ModelFolder.Config(folder).Shape.VocabSize;
        if (ids is not null)
            ids.EnsureIdsBelow(vocabulary, run.Get(_data.Ids)!);
        ids ??= Encode(_data.Texts(run), protocol, TokenizerLoader.Load(folder), vocabulary);
        long start = run.Surroundings.Time.GetTimestamp();
        using OpenModel model = ModelFolder.Open(run, _model);
        using LlamaGates? gates = plan is null ? null : LlamaGates.FromPlan(plan, model.Source.Device);
        PerplexityResult result = Evaluator(run).Evaluate(model.Source, ids, protocol, gates, run.Progress, run.Cancellation);
        double seconds = run.Surroundings.Time.GetElapsedTime(start).TotalSeconds;
        if (result.SkippedSequences > 0)
            run.Note($"{result.SkippedSequences} sequences are too short to score and were left out");
        run.Result(() => EvalReport.Json(result, seconds, run.Get(_perSequence)), console => EvalReport.Print(console, result, run.Get(_perSequence)));
    }

    private static IReadOnlyList<int[]> Encode(IReadOnlyList<TextFile> files, PerplexityProtocol protocol, ITokenizer tokenizer, int vocabulary)
    {
        foreach (TextFile file in files)
            VocabularyCheck.Texts(file.Path, file.Records, tokenizer, vocabulary);
        return EvaluationOptions.Encode(files.SelectMany(f => f.Records), protocol, tokenizer);
    }

    private void ByDomain(Invocation run, string data, PruningPlan? plan)
    {
        if (_data.IsGiven(run))
            throw new UsageException("Give --data, or --file and --ids, not both.");
        if (run.Get(_perSequence))
            throw new UsageException("--per-sequence is for --file and --ids; --data is summed up by domain.");
        PerplexityProtocol protocol = _evaluation.Read(run, ids: true);
        long start = run.Surroundings.Time.GetTimestamp();
        IReadOnlyList<(string Domain, PerplexityResult Result)> results = DomainLosses.Measure(run, run.Get(_model.Folder), _model, _read, data, run.Get(_rowCount), protocol, run.Get(_batchTokens)!.Value, plan);
        double seconds = run.Surroundings.Time.GetElapsedTime(start).TotalSeconds;
        run.Result(() => EvalReport.Json(results, seconds), console => EvalReport.Print(console, results));
    }

    private PerplexityEvaluator Evaluator(Invocation run) => new(new PerplexityOptions { BatchTokens = run.Get(_batchTokens)!.Value }, run.Log);
}
