// First-order Taylor importance of blocks from the gradients of their weights.
using LlmShearing.Model;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>
/// Scores blocks by A = sum over micro-batches of W * d(mean loss)/dW (Kim et al., "Shortened LLaMA", Taylor): reduce over tensors of
/// reduce over rows of sum over columns |A|^p. The absolute value comes after the sum over micro-batches, so gradients of opposite sign cancel.
/// Each calibration batch is one micro-batch: n batches of 1 give n times the score of one batch of n, and the same order.
/// </summary>
/// <remarks>
/// Gradients are kept for one block at a time (GradientPass), so it runs on a streamed model too; in addition the inputs of all blocks are kept:
/// calibration tokens x (blocks + 1) x hidden size.
/// </remarks>
public sealed class BlockTaylorScorer : IImportanceScorer
{
    private readonly TensorScore _score;

    /// <summary>Creates the scorer.</summary>
    /// <param name="options">Options, or null for the defaults. Copied.</param>
    /// <exception cref="ScoringException">An option is out of range.</exception>
    public BlockTaylorScorer(BlockTaylorOptions? options = null)
    {
        options ??= new BlockTaylorOptions();
        ScoringInput.EnsureOptions(options, ScorerNames.Taylor);
        _score = new TensorScore(options.NormPower, options.WeightReduction, options.BlockReduction);
    }

    /// <inheritdoc/>
    public PruningAxes SupportedAxes => PruningAxes.Layers;

    /// <inheritdoc/>
    public ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ScoringInput.EnsureAxes(request, SupportedAxes, ScorerNames.Taylor);
        IReadOnlyList<TokenBatch> batches = ScoringInput.ReadCalibration(request, ScorerNames.Taylor, minimumTokens: 2, cancellationToken);
        LlamaShape shape = request.Model.Config.Shape;
        double[] scores = new double[shape.Layers.Length];
        using var scope = NewDisposeScope();
        new GradientPass(request.Model, null, "Taylor", progress, cancellationToken).Run(batches, new WeightGradients(_score, scores));
        return new ImportanceScores(shape, ScorerNames.Taylor).With(PruningAxes.Layers, scores);
    }

    /// <summary>The weights of the block at hand and the sum of their gradients, float32.</summary>
    private sealed class WeightGradients(TensorScore score, double[] scores) : IGradientSink
    {
        private IReadOnlyList<(string Name, Parameter Weight)> _weights = [];
        private bool[] _required = [];
        private Tensor[]? _sums;

        public IReadOnlyList<Tensor> Begin(LlamaBlock block)
        {
            _weights = BlockWeights.Of(block);
            _required = [.. _weights.Select(w => w.Weight.requires_grad)];
            foreach ((_, Parameter weight) in _weights)
                weight.requires_grad = true;
            return [.. _weights.Select(w => w.Weight)];
        }

        public void Add(int layer, int batch, IReadOnlyList<Tensor> gradients)
        {
            if (gradients.Count == 0)
                return;
            using var noGrad = no_grad();
            if (_sums is null)
                _sums = [.. gradients.Select(g => g.to(ScalarType.Float32).MoveToOuterDisposeScope())];
            else
                for (int i = 0; i < gradients.Count; i++)
                    _sums[i].add_(gradients[i].to(ScalarType.Float32));
        }

        public void Complete(LlamaBlock block)
        {
            using var noGrad = no_grad();
            using var scope = NewDisposeScope();
            double[] tensors = new double[_weights.Count];
            for (int i = 0; i < tensors.Length; i++)
            {
                _sums![i].mul_(_weights[i].Weight.to(ScalarType.Float32));                    // A = W * sum of gradients
                tensors[i] = score.OfTensor(_sums[i], $"{_weights[i].Name} times its gradient");
                _sums[i].Dispose();
            }

            _sums = null;
            scores[block.Layer] = score.OfBlock(tensors);
        }

        public void Release()
        {
            for (int i = 0; i < _weights.Count; i++)
                _weights[i].Weight.requires_grad = _required[i];
            _weights = [];
        }
    }
}
