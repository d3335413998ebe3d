// shear reference-loss: what each domain's loss should be, measured on a model or predicted for a size, as a file for --reference-losses.
using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Domains;
using LlmShearing.Evaluation;
using Spectre.Console;

namespace LlmShearing.Cli.Commands;

internal sealed class ReferenceLossCommand : ShearCommand
{
    private readonly ModelOptions _model = new();
    private readonly RowsOptions _read = new();
    private readonly Argument<string?> _folder = new("MODEL") { Description = "Model to measure: of the target size, or the model before pruning.", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<string?> _rows = Opt.Text("--data", "FOLDER", "Token rows to measure MODEL on, one subfolder a domain: those that training is evaluated on.");
    private readonly Option<long?> _rowCount = Opt.Long("--rows", "N", "Use the first N rows of each domain. [default: 32, as --held-out-rows]", 1);
    private readonly Option<int?> _batchTokens = Opt.Int("--batch-tokens", "N", "Tokens that go through a block together.", 1, PerplexityOptions.DefaultBatchTokens, maximum: Limits.RowLength);
    private readonly Option<string[]> _measured = Opt.Texts("--measured", "SIZE=FILE", "Instead of MODEL: number of parameters of a model, and its losses. Give at least three.");
    private readonly Option<double?> _size = Opt.Number("--size", "N", "Number of parameters to predict for, embeddings included.", v => v is >= 1 and < 1e18, "a number of parameters");
    private readonly Option<string?> _out = Opt.Text("--out", "FILE", "Where the losses go, as JSON.");

    public ReferenceLossCommand(Surroundings surroundings)
        : base(
            surroundings,
            "reference-loss",
            "Makes the reference losses of 'train --sampler reference-loss': measures a model, or predicts from several sizes.",
            "shear reference-loss MODEL --data tokens/held-out --out reference.json",
            "shear reference-loss --measured 6738415616=7b.json --measured 13015864320=13b.json --measured 68976648192=70b.json --size 2701560320 --out reference.json",
            "shear train SMALLER --data tokens/train --held-out tokens/held-out --sampler reference-loss --reference-losses reference.json --steps 500 --out RECOVERED")
    {
        Arguments.Add(_folder);
        AddOptions(_rows, _rowCount, _batchTokens, _measured, _size, _out);
        AddOptions(_read.All);
        AddOptions(_model.All);
        AddConfigOption();
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        string output = run.Get(_out) ?? throw new UsageException("Nothing says where the losses go. Give --out FILE.");
        bool fits = run.Get(_measured) is { Length: > 0 };
        if (fits == run.GetOptional(_folder) is not null)
            throw new UsageException("Give either MODEL with --data, to measure, or --measured SIZE=FILE three times or more, to predict.");
        Option[] others = fits ? [_rows, _rowCount, _batchTokens, .. _model.All] : [_size];
        if (others.FirstOrDefault(run.IsGiven) is { } stray)
            throw new UsageException($"{stray.Name} goes with {(fits ? "MODEL" : "--measured")} only.");
        if (fits)
            Predict(run, output);
        else
            Measure(run, output);
    }

    private void Measure(Invocation run, string output)
    {
        string folder = run.GetOptional(_folder)!;
        string data = run.Get(_rows) ?? throw new UsageException("There is nothing to measure on. Give --data with token rows from 'shear tokenize'.");
        long parameters = ModelFolder.Config(folder).Shape.ParameterCount;
        _ = _model.Compute.Read(run);
        IReadOnlyList<(string Domain, PerplexityResult Result)> results = DomainLosses.Measure(
            run, folder, _model, _read, data, run.Get(_rowCount) ?? TrainingDataOptions.DefaultHeldOutRows, PerplexityProtocol.Rows, run.Get(_batchTokens)!.Value);
        ReferenceLosses.Save(output, results.ToDictionary(r => r.Domain, r => r.Result.MeanNll, StringComparer.Ordinal));
        run.Result(
            () => new JsonObject
            {
                ["parameters"] = parameters,
                ["losses"] = new JsonObject(results.Select(r => KeyValuePair.Create(r.Domain, (JsonNode?)r.Result.MeanNll))),
                ["tokens"] = results.Sum(r => r.Result.Tokens),
                ["out"] = output,
            },
            console =>
            {
                EvalReport.Print(console, results);
                console.Line($"{Numbers.Count(parameters)} parameters; written to {output}");
            });
    }

    private void Predict(Invocation run, string output)
    {
        double size = run.Get(_size) ?? throw new UsageException("Nothing says which size to predict for. Give --size N.");
        IReadOnlyDictionary<string, ScalingLawFit> fits = ReferenceLosses.Fit(run.Get(_measured)!.Select(ReadMeasured));
        ReferenceLosses.Save(output, fits.ToDictionary(f => f.Key, f => f.Value.Law.LossAt(size), StringComparer.Ordinal));
        foreach ((string domain, ScalingLawFit fit) in fits)
            foreach (string warning in fit.Warnings(size))
                run.Note($"{domain}: {warning}");
        run.Result(
            () => new JsonObject
            {
                ["parameters"] = size,
                ["losses"] = new JsonObject(fits.Select(f => KeyValuePair.Create(f.Key, (JsonNode?)f.Value.Law.LossAt(size)))),
                ["fits"] = new JsonObject(fits.Select(f => KeyValuePair.Create(f.Key, (JsonNode?)Json(f.Value, size)))),
                ["out"] = output,
            },
            console => Print(console, fits, size, output));
    }

    private static JsonObject Json(ScalingLawFit fit, double size) => new()
    {
        ["a"] = fit.Law.A,
        ["b"] = fit.Law.B,
        ["c"] = fit.Law.C,
        ["squared_error"] = fit.SquaredError,
        ["sensitivity"] = fit.Sensitivity(size),
        ["warnings"] = new JsonArray([.. fit.Warnings(size).Select(w => (JsonNode)w)]),
    };

    private static void Print(IAnsiConsole console, IReadOnlyDictionary<string, ScalingLawFit> fits, double size, string output)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns(
            new TableColumn("domain"), new TableColumn("predicted loss").RightAligned(), new TableColumn("law").RightAligned(), new TableColumn("errors come back").RightAligned());
        foreach ((string domain, ScalingLawFit fit) in fits)
        {
            ScalingLaw law = fit.Law;
            table.AddRow(
                domain, Numbers.Significant(law.LossAt(size)), $"{Numbers.Significant(law.A, 4)} / N^{Numbers.Significant(law.B, 4)} {(law.C < 0 ? "-" : "+")} {Numbers.Significant(Math.Abs(law.C), 4)}",
                $"{Numbers.Significant(fit.Sensitivity(size), 2)} times");
        }

        console.Write(table);
        console.Line($"written to {output}");
    }

    private static (double Parameters, IReadOnlyDictionary<string, double> Losses) ReadMeasured(string text)
    {
        string[] pair = text.Split('=', 2, StringSplitOptions.TrimEntries);
        return pair.Length == 2 && double.TryParse(pair[0].Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out double parameters) && pair[1].Length > 0
            ? (parameters, ReferenceLosses.Load(pair[1]))
            : throw new UsageException($"--measured '{text}' is not SIZE=FILE, for example 6.74e9=7b.json.");
    }
}
