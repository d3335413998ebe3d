// Recovery right after pruning: the few settings that one line needs. `tune` and `train` have them all.
using System.CommandLine;
using System.Globalization;
using LlmShearing.Cli.Terminal;

namespace LlmShearing.Cli.Options;

internal sealed class RecoveryOptions
{
    public Option<string?> Recover { get; } = Opt.Choice("--recover", "Train the pruned model right away: LoRA adapters that are merged, or all weights.", "lora", "full");

    public Option<string?> Data { get; } = Opt.Text("--recover-data", "FOLDER", "Token rows to recover on, from 'shear tokenize'. [default: the text of --file]");

    public Option<long?> Steps { get; } = Opt.Long("--recover-steps", "N", "Optimizer steps of recovery. [default: 200]", 1, maximum: Limits.Steps);

    public Option<int?> BatchSize { get; } = Opt.Int("--recover-batch", "B", "Rows of one step.", 1, 16, maximum: Limits.Rows);

    public Option<double?> Rate { get; } = Opt.Number("--recover-lr", "R", "Learning rate of recovery. [default: 1e-3 for lora, 3e-4 for full]", v => v is > 0 and < 1e6, "a number above 0 and below 1000000");

    public RowsOptions Rows { get; } = new();

    public Option[] All => [Recover, Data, .. Rows.All, Steps, BatchSize, Rate];

    public bool IsGiven(Invocation run)
    {
        if (run.Get(Recover) is not null)
            return true;
        return All.FirstOrDefault(run.IsGiven) is { } option ? throw new UsageException($"{option.Name} needs --recover lora or --recover full.") : false;
    }

    /// <summary>The training verb with everything but model, run folder and output.</summary>
    public string[] Command(Invocation run, string[] files, string? field, string? device)
    {
        bool lora = run.Get(Recover) == "lora";
        if (run.Get(Data) is null && files.Length == 0)
            throw new UsageException("There is nothing to recover on. Give --recover-data with token rows, or --file with text.");
        string[] source = run.Get(Data) is { } folder
            ? ["--data", folder, .. Given("--mds-dtype", run.Get(Rows.Dtype))]
            : [.. files.SelectMany(f => new[] { "--file", f }), .. Given("--field", field)];
        int batch = run.Get(BatchSize)!.Value;
        return
        [
            lora ? "tune" : "train",
            .. source,
            "--steps", (run.Get(Steps) ?? 200).ToString(CultureInfo.InvariantCulture),
            "--batch-size", batch.ToString(CultureInfo.InvariantCulture),
            "--micro-batch", Micro(batch).ToString(CultureInfo.InvariantCulture),
            "--lr", (run.Get(Rate) ?? (lora ? 1e-3 : 3e-4)).ToString("R", CultureInfo.InvariantCulture),
            .. Given("--device", device),
        ];
    }

    private static string[] Given(string option, string? value) => value is null ? [] : [option, value];

    // At most 4 rows at once, and a divisor of the batch.
    private static int Micro(int batch) => Enumerable.Range(1, Math.Min(4, batch)).Last(m => batch % m == 0);
}
