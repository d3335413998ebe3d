using LlmShearing.Data.Batches;
using LlmShearing.Data.Rows;
using LlmShearing.Tokenizers;
using LlmShearing.Training.Runs;

namespace LlmShearing.Samples;

/// <summary>Rows of token ids: every tenth is held out, the rest is for calibration and training.</summary>
internal sealed record RecoveryText(int[][] Training, int[][] HeldOut)
{
    /// <summary>Reads the Markdown files of the configured folder.</summary>
    public static RecoveryText Read(RecoveryOptions options)
    {
        ITokenizer tokenizer = TokenizerLoader.Load(options.Model);
        string text = string.Join("\n\n", Directory.EnumerateFiles(options.Text, "*.md").Order(StringComparer.Ordinal).Select(File.ReadAllText));
        int[][] rows = [.. tokenizer.Encode(text).Chunk(options.RowLength).Where(r => r.Length == options.RowLength)];
        return new RecoveryText([.. rows.Where((_, i) => i % 10 != 9)], [.. rows.Where((_, i) => i % 10 == 9)]);
    }

    /// <summary>The training rows again and again, shuffled and read ahead.</summary>
    public ITrainingData Batches(int size, int seed = 0) =>
        new PrefetchedData(DomainBatches.Of("docs", new MemoryTokenRows("docs", Training), new DomainBatchesOptions { BatchSize = size, Seed = seed }));
}
