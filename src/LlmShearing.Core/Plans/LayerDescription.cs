namespace LlmShearing.Plans;

/// <summary>What becomes of one block of the source: data for tables and pictures.</summary>
/// <param name="SourceIndex">0-based block of the source.</param>
/// <param name="TargetIndex">Its index in the result; null when the block goes.</param>
/// <param name="Before">Its shape in the source.</param>
/// <param name="After">Its shape in the result; null when the block goes.</param>
/// <param name="Plan">What stays of it; null when the block goes.</param>
public sealed record LayerDescription(int SourceIndex, int? TargetIndex, LayerShape Before, LayerShape? After, LayerPlan? Plan)
{
    /// <summary>Whether the block stays.</summary>
    public bool IsKept => After is not null;

    /// <summary>Share of the query heads that stay, 0 to 1; 0 where there were none.</summary>
    public double QueryHeadsKept => Share(After?.QueryHeads, Before.QueryHeads);

    /// <summary>Share of the intermediate channels that stay, 0 to 1; 0 where there were none.</summary>
    public double IntermediateKept => Share(After?.IntermediateSize, Before.IntermediateSize);

    private static double Share(int? kept, int all) => all == 0 ? 0 : (kept ?? 0) / (double)all;
}
