// Perplexity of the model without each block in turn, all blocks in one pass (see Staircase).
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>
/// Scores a block by the perplexity of the model without it (Kim et al., "Shortened LLaMA", PPL): exp of the mean negative log-likelihood, in nats,
/// over all scored tokens of all calibration batches. A token is scored if it and the one before it are real; the first of a row is not.
/// Low = the model does well without the block. An overflow gives infinity, and so does a removal after which the loss is not a number, so that it ranks last.
/// </summary>
/// <remarks>Keeps nothing between calls: any number of threads may use one instance, also on one model at once (see <see cref="LlamaModel"/>).</remarks>
public sealed class BlockPerplexityScorer : IPlanAwareScorer
{
    private readonly long _activationBytes;
    private readonly long _stateBytes;

    /// <summary>Creates the scorer.</summary>
    /// <param name="options">Options, or null for the defaults. Copied.</param>
    /// <exception cref="ScoringException">An option is out of range.</exception>
    public BlockPerplexityScorer(BlockPerplexityOptions? options = null)
    {
        options ??= new BlockPerplexityOptions();
        ScoringInput.EnsureOptions(options, ScorerNames.BlockPerplexity);
        (_activationBytes, _stateBytes) = (options.MaxActivationBytes, options.MaxStateBytes);
    }

    /// <inheritdoc/>
    public PruningAxes SupportedAxes => PruningAxes.Layers;

    /// <inheritdoc/>
    public ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Score(request, IndexSet.Empty, progress, cancellationToken);

    /// <inheritdoc/>
    public ImportanceScores Score(ScoringRequest request, IndexSet removedBlocks, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(removedBlocks);
        ScoringInput.EnsureAxes(request, SupportedAxes, ScorerNames.BlockPerplexity);
        LlamaShape shape = request.Model.Config.Shape;
        if (removedBlocks.Count > 0 && removedBlocks.Indices[^1] >= shape.Layers.Length)
            throw new ScoringException($"Block {removedBlocks.Indices[^1]} is to be left out, but '{request.Model.Name}' has {shape.Layers.Length} blocks.");
        IReadOnlyList<TokenBatch> batches = ScoringInput.ReadCalibration(request, ScorerNames.BlockPerplexity, minimumTokens: 2, cancellationToken);
        int[] alive = [.. Enumerable.Range(0, shape.Layers.Length).Except(removedBlocks.Indices)];
        double[] losses = new Staircase(request.Model, alive, _activationBytes, _stateBytes).Run(batches, progress, cancellationToken);
        double[] scores = new double[shape.Layers.Length];
        Array.Fill(scores, double.PositiveInfinity);
        for (int i = 0; i < alive.Length; i++)
            scores[alive[i]] = double.IsNaN(losses[i]) ? double.PositiveInfinity : Math.Exp(losses[i]);
        return new ImportanceScores(shape, ScorerNames.BlockPerplexity).With(PruningAxes.Layers, scores);
    }
}
