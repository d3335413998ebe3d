// The perplexity of a model on token rows, domain by domain.
using LlmShearing.Data;

namespace LlmShearing.Cli;

internal static class DomainLosses
{
    /// <summary>Measures every domain of a folder on its first rows, or all of them.</summary>
    public static IReadOnlyList<(string Domain, PerplexityResult Result)> Measure(
        Invocation run, string folder, ModelOptions model, string data, long? rows, PerplexityProtocol protocol, int batchTokens, PruningPlan? plan = null)
    {
        IReadOnlyList<ITokenRows> domains = TokenRows.OpenDomains(data);
        try
        {
            using OpenModel open = ModelFolder.Open(run, folder, model);
            using LlamaGates? gates = plan is null ? null : LlamaGates.FromPlan(plan);
            var evaluator = new PerplexityEvaluator(new PerplexityOptions { BatchTokens = batchTokens });
            return [.. domains.Select(d => (d.Name, evaluator.Evaluate(open.Source, Read(d, rows), protocol, gates, run.Progress, run.Cancellation)))];
        }
        finally
        {
            foreach (ITokenRows domain in domains)
                domain.Dispose();
        }
    }

    private static int[][] Read(ITokenRows rows, long? count)
    {
        int[][] ids = new int[Math.Min(rows.Count, count ?? long.MaxValue)][];
        for (int i = 0; i < ids.Length; i++)
            rows.Read(i, ids[i] = new int[rows.Length(i)]);
        return ids.Length > 0 ? ids : throw new UsageException($"Domain '{rows.Name}' has no rows.");
    }
}
