namespace LlmShearing.Training.Steps;

/// <summary>What each token and each micro-batch of a step weighs.</summary>
internal sealed class StepWeights
{
    private readonly double[] _scales;
    private readonly double[] _shares;

    private StepWeights((long[] Positions, long[] Targets)[] scored, double[] scales, double[] shares) =>
        (Scored, _scales, _shares, ScoredTokens) = (scored, scales, shares, scored.Sum(s => (long)s.Targets.Length));

    /// <summary>Scored positions and targets by micro-batch.</summary>
    public (long[] Positions, long[] Targets)[] Scored { get; }

    /// <summary>Scored tokens of the step, above 0.</summary>
    public long ScoredTokens { get; }

    /// <summary>Factor of a token's loss.</summary>
    public double TokenScale(int microBatch) => _scales[microBatch];

    /// <summary>Weight of a micro-batch; those of a step add up to 1.</summary>
    public double Share(int microBatch) => _shares[microBatch];

    /// <summary>The weights of a step.</summary>
    /// <exception cref="TrainingException">Nothing is scored.</exception>
    /// <exception cref="TokenDataException">A label is outside the vocabulary.</exception>
    public static StepWeights Of(IReadOnlyList<TrainingBatch> batches, LossNormalization normalization, int vocabulary)
    {
        (long[] Positions, long[] Targets)[] scored = [.. batches.Select(b => b.Scored())];
        long tokens = scored.Sum(s => (long)s.Targets.Length);
        if (tokens == 0)
        {
            string sources = string.Join("; ", batches.Select(b => b.Source).Where(s => s.Length > 0));
            throw new TrainingException($"No token of this step is scored, so there is no loss: every label is {TrainingBatch.Ignored}, padding, or the first of a document ({(sources.Length > 0 ? sources : $"{batches.Count} micro-batches")}). Leave such rows out of the data.");
        }

        for (int i = 0; i < batches.Count; i++)
            for (int k = 0; k < scored[i].Targets.Length; k++)
                if (scored[i].Targets[k] >= vocabulary)
                    throw new TokenDataException($"The label {scored[i].Targets[k]} after position {scored[i].Positions[k]} is outside the model's vocabulary of {vocabulary} ({batches[i].Source}). Use the tokenizer that belongs to the model.");

        long rows = batches.Where((_, i) => scored[i].Targets.Length > 0).Sum(b => (long)b.Tokens.BatchSize);
        long labels = batches.Sum(b => (long)b.LabelCount);
        double[] shares = [.. batches.Select((b, i) => scored[i].Targets.Length is 0 ? 0
            : normalization == LossNormalization.MicroBatchMean ? (double)b.Tokens.BatchSize / rows : (double)scored[i].Targets.Length / tokens)];
        double[] scales = [.. batches.Select((_, i) => normalization switch
        {
            LossNormalization.MicroBatchMean => scored[i].Targets.Length is 0 ? 0 : shares[i] / scored[i].Targets.Length,
            LossNormalization.StepLabels => 1.0 / labels,
            _ => 1.0 / tokens,
        })];
        return new StepWeights(scored, scales, shares);
    }
}
