// shear eval: perplexity of a model, or of a plan before it is applied.
using System.CommandLine;
using System.Text.Json.Nodes;
using LlmShearing.Tokenizers;

namespace LlmShearing.Cli;

internal sealed class EvalCommand : ShearCommand
{
    private readonly ModelOptions _model = new();
    private readonly DataOptions _data = new("evaluate on");
    private readonly EvaluationOptions _evaluation = new();
    private readonly Option<string?> _plan = Opt.Text("--plan", "FILE", "Evaluate the model as this plan would leave it, without cutting.");
    private readonly Option<bool> _perSequence = Opt.Flag("--per-sequence", "Give the loss of every window, too.");
    private readonly Option<int?> _batchTokens = Opt.Int("--batch-tokens", "N", "Tokens that go through a block together.", 1, PerplexityOptions.DefaultBatchTokens);

    public EvalCommand(Surroundings surroundings)
        : base(
            surroundings,
            "eval",
            "Measures perplexity.",
            "shear eval MODEL --file test.jsonl --protocol shortened-llama",
            "shear eval MODEL --file test.txt --protocol strided --length 1024 --stride 512",
            "shear eval MODEL --ids ids.json --json --per-sequence",
            "shear eval MODEL --plan plan.json --file test.jsonl --stream")
    {
        Arguments.Add(_model.Folder);
        AddOptions(_data.All);
        AddOptions(_evaluation.All);
        AddOptions(_plan, _perSequence, _batchTokens);
        AddOptions(_model.All);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        string folder = run.Get(_model.Folder);
        IReadOnlyList<int[]>? ids = _data.Rows(run);
        PerplexityProtocol protocol = _evaluation.Read(run, ids is not null);
        PruningPlan? plan = run.Get(_plan) is { } path ? PruningPlan.Load(path) : null;
        plan?.EnsureFor(ModelFolder.Config(folder).Shape);
        ids ??= EvaluationOptions.Encode(_data.Texts(run).SelectMany(f => f.Records), protocol, TokenizerLoader.Load(folder));
        long start = run.Surroundings.Time.GetTimestamp();
        using OpenModel model = ModelFolder.Open(run, _model);
        using LlamaGates? gates = plan is null ? null : LlamaGates.FromPlan(plan);
        var evaluator = new PerplexityEvaluator(new PerplexityOptions { BatchTokens = run.Get(_batchTokens)!.Value });
        PerplexityResult result = evaluator.Evaluate(model.Source, ids, protocol, gates, run.Progress, run.Cancellation);
        double seconds = run.Surroundings.Time.GetElapsedTime(start).TotalSeconds;
        if (result.SkippedSequences > 0)
            run.Note($"{result.SkippedSequences} sequences are too short to score and were left out");
        run.Result(() => EvalReport.Json(result, seconds, run.Get(_perSequence)), console => EvalReport.Print(console, result, run.Get(_perSequence)));
    }
}
