// Which block of the student learns from which block of the teacher, when that is found out in every micro-batch (CoFi, arXiv 2204.00408, section 3.2).
namespace LlmShearing.Training.Distillation;

/// <summary>How blocks of student and teacher are paired for the loss on hidden states.</summary>
public enum BlockMatching
{
    /// <summary>As <see cref="DistillationOptions.Blocks"/> says.</summary>
    Fixed,

    /// <summary>Every teacher block with the student block whose states are closest (CoFi, layer_distill_version 3). Blocks whose attention is removed take part too.</summary>
    Closest,

    /// <summary>
    /// From the last teacher block down, each with the closest student block below the one matched before; blocks whose attention is removed do not take part. Where none is left, the
    /// block matched before serves again (CoFi, layer_distill_version 4, as its paper means it).
    /// </summary>
    Descending,

    /// <summary>
    /// The same as CoFi's code does it: whether attention is removed is looked up by rank of distance instead of by block, so that removed blocks may be matched and others left out.
    /// For comparison only.
    /// </summary>
    DescendingByRank,
}

internal static class BlockMatcher
{
    /// <summary>Student block of each teacher block; -1 where no student block is left for the first.</summary>
    /// <param name="matching">Not <see cref="BlockMatching.Fixed"/>.</param>
    /// <param name="distances">Distance of states by teacher block, ascending, and student block.</param>
    /// <param name="alive">Whether a student block has attention.</param>
    public static int[] Match(BlockMatching matching, double[][] distances, bool[] alive)
    {
        int[] result = new int[distances.Length];
        int below = alive.Length, before = -1;
        for (int t = distances.Length - 1; t >= 0; t--)
        {
            int[] ranked = [.. Enumerable.Range(0, alive.Length).OrderBy(s => distances[t][s])];   // of equal distances the lower block
            IEnumerable<int> candidates = matching switch
            {
                BlockMatching.Closest => ranked,
                BlockMatching.Descending => ranked.Where(s => alive[s] && s < below),
                _ => ranked.Where((s, rank) => alive[rank] && s < below),
            };
            result[t] = candidates.Append(before).First();
            if (matching != BlockMatching.Closest && result[t] >= 0)
                below = before = result[t];
        }

        return result;
    }
}
