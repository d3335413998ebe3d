// The perplexity of a model on token rows, domain by domain.
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Rows;
using LlmShearing.Evaluation;

namespace LlmShearing.Cli.Input;

internal static class DomainLosses
{
    /// <summary>Measures every domain of a folder on its first rows, or all of them.</summary>
    public static IReadOnlyList<(string Domain, PerplexityResult Result)> Measure(
        Invocation run, string folder, ModelOptions model, RowsOptions read, string data, long? rows, PerplexityProtocol protocol, int batchTokens, PruningPlan? plan = null)
    {
        IReadOnlyList<ITokenRows> domains = read.OpenDomains(run, data);
        try
        {
            int vocabulary = ModelFolder.Config(folder).Shape.VocabSize;
            foreach (ITokenRows domain in domains)
                domain.EnsureIdsBelow(vocabulary, run.Cancellation);
            using OpenModel open = ModelFolder.Open(run, folder, model);
            using LlamaGates? gates = plan is null ? null : LlamaGates.FromPlan(plan, open.Source.Device);
            var evaluator = new PerplexityEvaluator(new PerplexityOptions { BatchTokens = batchTokens }, run.Log);
            var progress = new DomainProgress(run.Progress, domains.Sum(d => Tokens(d, rows)));
            var results = new List<(string Domain, PerplexityResult Result)>();
            foreach (ITokenRows domain in domains)
            {
                progress.Begin(domain.Name, Tokens(domain, rows));
                results.Add((domain.Name, evaluator.Evaluate(open.Source, Read(domain, rows), protocol, gates, progress, run.Cancellation)));
            }

            return results;
        }
        finally
        {
            foreach (ITokenRows domain in domains)
                domain.Dispose();
        }
    }

    private static long Used(ITokenRows rows, long? count) => Math.Min(rows.Count, count ?? long.MaxValue);

    private static long Tokens(ITokenRows rows, long? count)
    {
        long tokens = 0;
        for (long i = 0; i < Used(rows, count); i++)
            tokens += rows.Length(i);
        return tokens;
    }

    private static int[][] Read(ITokenRows rows, long? count)
    {
        int[][] ids = new int[Used(rows, count)][];
        for (int i = 0; i < ids.Length; i++)
            rows.Read(i, ids[i] = new int[rows.Length(i)]);
        return ids.Length > 0 ? ids : throw new UsageException($"Domain '{rows.Name}' has no rows.");
    }

    // One measure, tokens, over all domains, so that the time left is that of the whole. A domain's own steps become its part of them.
    private sealed class DomainProgress(IProgress<ShearingProgress> outer, long total) : IProgress<ShearingProgress>
    {
        private string _domain = "";
        private long _before, _tokens;

        public void Begin(string domain, long tokens) => (_domain, _before, _tokens) = (domain, _before + _tokens, tokens);

        public void Report(ShearingProgress value) =>
            outer.Report(new ShearingProgress(value.Stage, _before + (long)((double)_tokens * value.Completed / value.Total), total, "tokens") { Detail = _domain });
    }
}
