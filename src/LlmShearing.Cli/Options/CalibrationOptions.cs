// The data that a criterion looks at: ids as they are, or windows drawn from text as the papers do.
using System.CommandLine;
using LlmShearing.Data.Rows;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Calibration;
using LlmShearing.Tokenizers;

namespace LlmShearing.Cli.Options;

internal sealed class CalibrationOptions
{
    private readonly DataOptions _data = new("calibrate with");

    public Option<int?> Samples { get; } = Opt.Int("--samples", "N", "Windows drawn from text.", 1, 10, maximum: Limits.Rows);

    public Option<int?> Length { get; } = Opt.Int("--length", "L", "Tokens of a window drawn from text.", 2, 128, maximum: Limits.RowLength);

    public Option<int?> Seed { get; } = Opt.Int("--seed", "S", "Seed of the windows and of all other randomness.", 0, 1234);

    public Option<string?> Draw { get; } = Opt.Choice("--draw", "Where windows come from: separate records that are long enough (the papers' way), or anywhere in the joined text. [default: records for JSON Lines, anywhere for plain text]", "records", "anywhere");

    public Option<bool> BosEvery { get; } = Opt.Flag("--bos-every-sample", "Put a BOS in front of every window drawn from text.");

    public Option<int?> BatchSize { get; } = Opt.Int("--batch-size", "B", "Rows that go through the model together; for taylor, rows of one gradient step.", 1, 10, maximum: Limits.MicroBatch);

    public Option[] All => [.. _data.All, Samples, Length, Draw, BosEvery, BatchSize, Seed];

    /// <summary>Calibration rows, or none when neither --file nor --ids is given (some criteria need none).</summary>
    /// <exception cref="TokenDataException">An id that was drawn is outside the model's vocabulary.</exception>
    public IReadOnlyList<int[]> Rows(Invocation run, string model)
    {
        if (!_data.IsGiven(run))
            return [];
        IReadOnlyList<int[]>? ids = _data.Rows(run);
        IReadOnlyList<int[]> rows = ids ?? FromText(run, _data.Texts(run), TokenizerLoader.Load(model));
        rows.EnsureIdsBelow(ModelFolder.Config(model).Shape.VocabSize, ids is null ? string.Join(", ", Files(run)) : run.Get(_data.Ids)!, ids is null ? "window" : "row");
        return rows;
    }

    /// <summary>The text files that were given.</summary>
    public string[] Files(Invocation run) => run.Get(_data.Files) ?? [];

    public string? Field(Invocation run) => run.Get(_data.Field);

    public int SeedOf(Invocation run) => run.Get(Seed)!.Value;

    private IReadOnlyList<int[]> FromText(Invocation run, IReadOnlyList<TextFile> files, ITokenizer tokenizer)
    {
        bool every = run.Get(BosEvery);
        int? bos = every ? tokenizer.BosTokenId ?? throw new UsageException("--bos-every-sample: this tokenizer has no BOS token.") : null;
        var sampler = new CalibrationSampler(run.Get(Samples)!.Value, run.Get(Length)!.Value, SeedOf(run)) { LeadingToken = bos };
        string draw = run.Get(Draw) ?? (files.All(f => f.IsPlain) ? "anywhere" : "records");
        string[] records = [.. files.SelectMany(f => f.Records)];
        int[] Encode(string text) => tokenizer.Encode(text, addSpecialTokens: !every);
        return draw == "records"
            ? sampler.FromRows(records.Length, i => Encode(records[i]))
            : sampler.FromStream(Encode(string.Join("\n\n", records)));
    }
}
