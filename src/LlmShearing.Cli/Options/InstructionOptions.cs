// Instruction data: records with answers, a template, and which tokens are learned.
using System.CommandLine;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Instructions;
using LlmShearing.Data.Samples;
using LlmShearing.Tokenizers;

namespace LlmShearing.Cli.Options;

internal sealed class InstructionOptions
{
    public Option<string?> Records { get; } = Opt.Text("--instructions", "FILE", "Instructions with answers to train on instead: Alpaca, {input, output}, ShareGPT or messages; JSON or JSON Lines, also .gz and .zst.");

    public Option<string?> Template { get; } = Opt.Choice("--template", "How a record becomes text. [default: alpaca-lora]", [.. InstructionTemplates.All.Select(t => t.Name)]);

    public Option<int?> Cutoff { get; } = Opt.Int("--cutoff", "N", "Tokens after which an instruction sample is cut off.", 2, 256, maximum: Limits.RowLength);

    public Option<bool> LearnPrompts { get; } = Opt.Flag("--train-on-inputs", "Learn the prompts, too, not only the answers.");

    public Option<string?> Labels { get; } = Opt.Choice("--labels", "How the learned tokens are found: piece by piece, or by the count of the prompt's tokens as the papers' code does. [default: segments]", "segments", "prompt-length", "fastchat");

    public Option<bool> SpellTokens { get; } = Opt.Flag("--spell-tokens", "Write control tokens of the template that the vocabulary lacks as ordinary text, instead of refusing them.");

    public Option<string?> Packing { get; } = Opt.Choice("--packing", "Put several samples into a row of --cutoff tokens; they do not see each other. [default: none]", "none", "bfd", "bfd-split", "wrapped");

    public Option[] All => [Records, Template, Cutoff, LearnPrompts, Labels, SpellTokens, Packing];

    public bool IsGiven(Invocation run) =>
        run.Get(Records) is not null || (All.FirstOrDefault(run.IsGiven) is { } option ? throw new UsageException($"{option.Name} needs --instructions.") : false);

    /// <summary>Reads, tokenises and batches the records; <paramref name="micro"/> samples a micro-batch.</summary>
    public InstructionBatches Open(Invocation run, string model, int micro, int seed, out int longest)
    {
        string path = run.Get(Records)!;
        ITokenizer tokenizer = TokenizerLoader.Load(model);
        var encoder = new InstructionTokenizer(tokenizer, InstructionTemplates.Get(run.Get(Template) ?? InstructionTemplates.AlpacaLora.Name), new InstructionTokenizerOptions
        {
            MaxLength = run.Get(Cutoff)!.Value,
            LearnPrompts = run.Get(LearnPrompts),
            SpellMissingTokens = run.Get(SpellTokens),
            Labels = run.Get(Labels) switch { "prompt-length" => LabelRule.PromptLength, "fastchat" => LabelRule.FastChat, _ => LabelRule.Segments },
        });
        InstructionSamples samples = encoder.EncodeAll(InstructionFile.Read(path), run.Progress, run.Cancellation);
        if (samples.NothingLearned > 0)
            run.Note($"{samples.NothingLearned} of {samples.Records} records have nothing to learn and were left out");
        if (samples.MessagesLeftOut > 0)
            run.Note($"{samples.MessagesLeftOut} of {samples.Records} records begin with an answer, which this template leaves out");
        if (samples.Truncated > 0)
            run.Note($"{samples.Truncated} of {samples.Records} records are longer than {run.Get(Cutoff)} tokens and were cut off (--cutoff)");
        if (samples.Samples.Count == 0)
            throw new UsageException($"{path}: none of its {samples.Records} records has anything to learn within {run.Get(Cutoff)} tokens.");
        PaddingToken padding = PaddingToken.Of(tokenizer, ModelFolder.Config(model).Shape.VocabSize);
        run.Note($"padding: id {padding.Id} ({padding.Reason})");
        longest = samples.Samples.Max(s => s.Length);
        return new InstructionBatches(samples.Samples, new InstructionBatchesOptions
        {
            BatchSize = micro,
            Seed = seed,
            RowLength = run.Get(Cutoff)!.Value,
            Packing = run.Get(Packing) switch { "bfd" => PackingStrategy.BestFit, "bfd-split" => PackingStrategy.BestFitSplit, "wrapped" => PackingStrategy.Wrapped, _ => null },
            Collator = new CollatorOptions { PadId = padding.Id, MultipleOf = 8 },
        });
    }
}
