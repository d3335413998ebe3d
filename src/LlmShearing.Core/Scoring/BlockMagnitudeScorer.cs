// Weight norms as importance: needs no data, reads every weight once, so it also runs on a folder larger than memory.
using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>
/// Scores blocks by the norms of their weights (Kim et al., "Shortened LLaMA", Mag): reduce over tensors of reduce over rows of
/// sum over columns |W|^p. Norm weights count; biases, embeddings and the output projection do not.
/// Width axes sum |W|^p over everything that goes with the unit: rows and columns of all matrices it is coupled to; or they take the largest of these
/// (<see cref="BlockMagnitudeOptions.GroupReduction"/>).
/// </summary>
/// <remarks>Keeps nothing between calls: any number of threads may use one instance, also on one model at once (see <see cref="LlamaModel"/>).</remarks>
public sealed class BlockMagnitudeScorer : IImportanceScorer
{
    private readonly double _power;
    private readonly TensorScore _score;
    private readonly bool _largest;

    /// <summary>Creates the scorer.</summary>
    /// <param name="options">Options, or null for the defaults. Copied.</param>
    /// <exception cref="ScoringException">An option is out of range.</exception>
    public BlockMagnitudeScorer(BlockMagnitudeOptions? options = null)
    {
        options ??= new BlockMagnitudeOptions();
        ScoringInput.EnsureOptions(options, ScorerNames.Magnitude);
        _power = options.NormPower;
        _largest = options.GroupReduction == ScoreReduction.Max;
        _score = new TensorScore(_power, options.WeightReduction, options.BlockReduction);
    }

    /// <inheritdoc/>
    public PruningAxes SupportedAxes => PruningAxes.Layers | PruningAxes.Width;

    /// <inheritdoc/>
    public ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ScoringInput.EnsureAxes(request, SupportedAxes, ScorerNames.Magnitude);
        ILlamaSource source = request.Model;
        LlamaShape shape = source.Config.Shape;
        double[] layers = new double[shape.Layers.Length];
        GroupMagnitude? width = (request.Axes & PruningAxes.Width) == PruningAxes.None ? null : new GroupMagnitude(shape, _power, _largest);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        for (int i = 0; i < layers.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using BlockLease lease = source.AcquireBlock(i);
            layers[i] = _score.OfBlock([.. BlockWeights.Of(lease.Block).Select(w => _score.OfTensor(w.Weight, w.Name))]);
            width?.Add(lease.Block);
            progress?.Report(new ShearingProgress("Weight norms", i + 1, layers.Length, "blocks"));
        }

        if (request.Axes.HasFlag(PruningAxes.Hidden))
            width!.AddEnds(source);
        var scores = new ImportanceScores(shape, ScorerNames.Magnitude);
        if (request.Axes.HasFlag(PruningAxes.Layers))
            scores = scores.With(PruningAxes.Layers, layers);
        return width?.AddTo(scores, request.Axes) ?? scores;
    }
}
