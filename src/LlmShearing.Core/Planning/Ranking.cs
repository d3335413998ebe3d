// Choosing by score. One rule everywhere: larger stays, ties go to the lower index, nothing depends on the order of evaluation.
namespace LlmShearing.Planning;

internal static class Ranking
{
    /// <summary>The <paramref name="count"/> best of the scores; of equal scores the lower index stays.</summary>
    public static IndexSet Top(IReadOnlyList<double> scores, int count) =>
        count == scores.Count
            ? IndexSet.All(count)
            : IndexSet.Of(Enumerable.Range(0, scores.Count).OrderByDescending(i => scores[i]).Take(count));

    /// <summary>The <paramref name="count"/> best of some units, given with their scores in ascending order of index.</summary>
    public static IndexSet Top(IEnumerable<(int Index, double Score)> units, int count) =>
        IndexSet.Of(units.OrderByDescending(u => u.Score).Take(count).Select(u => u.Index));
}
