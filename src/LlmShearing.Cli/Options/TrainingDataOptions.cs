// Data to train on: token shards by domain, or text on the spot; and held-out rows by domain.
using System.CommandLine;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Batches;
using LlmShearing.Data.Domains;
using LlmShearing.Data.Instructions;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Samples;
using LlmShearing.Tokenizers;
using LlmShearing.Training.Runs;

namespace LlmShearing.Cli.Options;

internal sealed class TrainingDataOptions
{
    /// <summary>Rows of each domain to evaluate on.</summary>
    public const long DefaultHeldOutRows = 32;

    public Option<string?> Data { get; } = Opt.Text("--data", "FOLDER", "Token rows from 'shear tokenize', one subfolder a domain.");

    public Option<string[]> Files { get; } = Opt.Texts("--file", "FILE", "Text to train on instead: plain text or JSON Lines, also .gz and .zst, tokenised in memory as one domain. May be repeated.");

    public Option<string?> Field { get; } = Opt.Text("--field", "NAME", $"Member of the JSON Lines records of --file that holds the text. [default: {TextFile.DefaultField}]");

    public Option<int?> Length { get; } = Opt.Int("--length", "L", "Tokens of a row made from --file.", 2, 256, maximum: Limits.RowLength);

    public Option<string?> Exhaustion { get; } = Opt.Choice("--when-used-up", "What happens when a domain has no more rows. [default: repeat]", "repeat", "stop", "error");

    public Option<string?> HeldOut { get; } = Opt.Text("--held-out", "FOLDER", "Token rows to evaluate on, one subfolder a domain.");

    public Option<long?> HeldOutRows { get; } = Opt.Long("--held-out-rows", "N", "Rows of each domain to evaluate on. [default: 32]", 1);

    public InstructionOptions Instructions { get; } = new();

    public RowsOptions Rows { get; } = new();

    public SamplerOptions Sampler { get; } = new();

    public Option[] All => [.. Instructions.All, Data, Files, Field, Length, .. Sampler.All, Exhaustion, HeldOut, HeldOutRows, .. Rows.All];

    public bool IsGiven(Invocation run) => Instructions.IsGiven(run) || run.Get(Data) is not null || run.Get(Files) is { Length: > 0 };

    /// <summary>Opens the data; <paramref name="micro"/> rows a micro-batch.</summary>
    public TrainingInput Open(Invocation run, string model, int micro, int seed)
    {
        bool instructions = Instructions.IsGiven(run);
        if ((run.Get(Data) is not null ? 1 : 0) + (run.Get(Files) is { Length: > 0 } ? 1 : 0) + (instructions ? 1 : 0) > 1)
            throw new UsageException("Give only one of --data, --file and --instructions.");
        if (run.Get(Data) is null && Sampler.All.FirstOrDefault(run.IsGiven) is { } mixture)
            throw new UsageException($"{mixture.Name} needs --data, whose domains are mixed.");
        var owned = new List<IDisposable>();
        try
        {
            if (instructions)
            {
                InstructionBatches records = Instructions.Open(run, model, micro, seed, out int longest);
                return new TrainingInput(new PrefetchedData(records), longest, OpenHeldOut(run, model, micro, owned), owned);
            }

            int vocabulary = ModelFolder.Config(model).Shape.VocabSize;
            IReadOnlyList<ITokenRows> domains = run.Get(Data) is { } folder ? Rows.OpenDomains(run, folder) : [FromText(run, model)];
            owned.AddRange(domains);
            foreach (ITokenRows domain in domains)
                domain.EnsureIdsBelow(vocabulary, run.Cancellation);
            IReadOnlyList<EvaluationSet> heldOut = OpenHeldOut(run, model, micro, owned);
            IDomainSampler sampler = Sampler.Create(run, domains, seed, heldOut);
            var batches = new DomainBatches([.. domains.Select(d => new TokenDomain(d.Name, d))], sampler, new DomainBatchesOptions
            {
                BatchSize = micro,
                Seed = seed,
                VocabularySize = vocabulary,
                Exhaustion = run.Get(Exhaustion) switch { "stop" => ExhaustionPolicy.Stop, "error" => ExhaustionPolicy.Error, _ => ExhaustionPolicy.NextEpoch },
            });
            return new TrainingInput(new PrefetchedData(batches), batches.SequenceLength, heldOut, owned);
        }
        catch
        {
            owned.ForEach(o => o.Dispose());
            throw;
        }
    }

    private IReadOnlyList<EvaluationSet> OpenHeldOut(Invocation run, string model, int micro, List<IDisposable> owned)
    {
        if (run.Get(HeldOut) is not { } folder)
            return [];
        IReadOnlyList<ITokenRows> rows = Rows.OpenDomains(run, folder);
        owned.AddRange(rows);
        int vocabulary = ModelFolder.Config(model).Shape.VocabSize;
        foreach (ITokenRows domain in rows)
            domain.EnsureIdsBelow(vocabulary, run.Cancellation);
        return [.. rows.Select(r => new EvaluationSet(r.Name, EvaluationRows.Batches(new TokenDomain(r.Name, r), micro, Math.Min(run.Get(HeldOutRows) ?? DefaultHeldOutRows, r.Count))))];
    }

    private MemoryTokenRows FromText(Invocation run, string model)
    {
        ITokenizer tokenizer = TokenizerLoader.Load(model);
        int length = run.Get(Length)!.Value;
        var ids = new List<int>();
        int vocabulary = ModelFolder.Config(model).Shape.VocabSize;
        foreach (string path in run.Get(Files)!)
        {
            IReadOnlyList<string> records = TextFile.Read(path, run.Get(Field)).Records;
            VocabularyCheck.Texts(path, records, tokenizer, vocabulary);
            foreach (string record in records)
            {
                ids.AddRange(tokenizer.Encode(record, addSpecialTokens: true));
                if (tokenizer.EosTokenId is { } end)
                    ids.Add(end);
            }
        }

        int[][] rows = [.. ids.Chunk(length).Where(r => r.Length == length)];
        return rows.Length > 0
            ? new MemoryTokenRows("text", rows)
            : throw new UsageException($"The text has {ids.Count} tokens, less than one row of {length}. Give more text or a smaller --length.");
    }
}
