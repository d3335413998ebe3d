// How much a block turns the residual stream; one forward pass for all blocks.
using LlmShearing.Devices;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>
/// Block Influence (Men et al., "ShortGPT", eq. 1): 1 - mean over tokens of cos(x_l, x_l+1), where x_l is what enters block l.
/// The state after the last block is taken before the final norm. Scores are in [0, 2]; low = the block changes little.
/// </summary>
/// <remarks>Keeps nothing between calls: any number of threads may use one instance, also on one model at once (see <see cref="LlamaModel"/>).</remarks>
public sealed class BlockInfluenceScorer : IImportanceScorer
{
    // The ShortGPT code gives a state of norm zero, which has no angle, this similarity.
    private const double SimilarityOfZero = 0.5;
    private readonly bool _sum;
    private readonly bool _countPadding;
    private readonly long _activationBytes;
    private readonly long _stateBytes;

    /// <summary>Creates the scorer.</summary>
    /// <param name="options">Options, or null for the defaults. Copied.</param>
    /// <exception cref="ScoringException">An option is out of range.</exception>
    public BlockInfluenceScorer(BlockInfluenceOptions? options = null)
    {
        options ??= new BlockInfluenceOptions();
        ScoringInput.EnsureOptions(options, ScorerNames.BlockInfluence);
        (_sum, _countPadding, _activationBytes, _stateBytes) = (options.SumOverTokens, options.CountPadding, options.MaxActivationBytes, options.MaxStateBytes);
    }

    /// <inheritdoc/>
    public PruningAxes SupportedAxes => PruningAxes.Layers;

    /// <inheritdoc/>
    public ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ScoringInput.EnsureAxes(request, SupportedAxes, ScorerNames.BlockInfluence);
        IReadOnlyList<TokenBatch> batches = ScoringInput.ReadCalibration(request, ScorerNames.BlockInfluence, minimumTokens: 1, cancellationToken);
        LlamaShape shape = request.Model.Config.Shape;
        double[] change = new double[shape.Layers.Length];
        long[] tokens = new long[shape.Layers.Length];
        StatePass.Run(request.Model, batches, _countPadding, _activationBytes, _stateBytes, "Block influence", Observe, progress, cancellationToken);
        return new ImportanceScores(shape, ScorerNames.BlockInfluence)
            .With(PruningAxes.Layers, change.Select((c, i) => _sum ? c : c / tokens[i]));

        void Observe(int layer, CalibrationRows rows, Tensor before, Tensor after)
        {
            float[] cosines = HostValues.Floats(Cosines(before, after));                         // [R * T]
            for (int i = 0; i < cosines.Length; i++)
            {
                if (!rows.IsReal(i / rows.Length, i % rows.Length))
                    continue;
                change[layer] += 1 - (float.IsNaN(cosines[i]) ? SimilarityOfZero : cosines[i]);
                tokens[layer]++;
            }
        }
    }

    // cos = (a . b) / (|a| |b|), float32 [R * T]; NaN where a state is zero, for overflow was refused before.
    private static Tensor Cosines(Tensor before, Tensor after)
    {
        Tensor a = before.to(ScalarType.Float32), b = after.to(ScalarType.Float32);              // [R, T, H]
        Tensor lengths = a.norm(-1).mul_(b.norm(-1));                                            // [R, T]
        return (a * b).sum(-1).div_(lengths).reshape(-1);
    }
}
