// First-order Taylor importance of any unit: the gradient of the loss with respect to its gate.
using LlmShearing.Devices;
using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>
/// |dL/dz| at z = 1 for the gate z of every unit of every axis (Michel et al., "Are Sixteen Heads Really Better than One?", eq. 2; Molchanov et al. 2019).
/// L is the mean loss of a batch; the absolute value comes after the sum over batches. For a feed-forward channel or a head this equals
/// |sum of W * dL/dW| over the columns of the down or output projection that it feeds.
/// </summary>
/// <remarks>Keeps nothing between calls, so that threads may share one instance; a model takes one computation of gradients at a time and answers a second one with an <see cref="InvalidOperationException"/>.</remarks>
public sealed class GateTaylorScorer : IImportanceScorer
{
    private const PruningAxes All = PruningAxes.Width | PruningAxes.Attention | PruningAxes.Mlp | PruningAxes.Layers;
    private static readonly PruningAxes[] Single =
    [
        PruningAxes.Hidden, PruningAxes.QueryHeads, PruningAxes.KeyValueGroups, PruningAxes.Intermediate,
        PruningAxes.Attention, PruningAxes.Mlp, PruningAxes.Layers,
    ];

    private readonly bool _absolutePerBatch;

    /// <summary>Creates the scorer.</summary>
    /// <param name="options">Options, or null for the defaults. Copied.</param>
    public GateTaylorScorer(GateTaylorOptions? options = null) => _absolutePerBatch = options?.AbsolutePerBatch ?? false;

    /// <inheritdoc/>
    public PruningAxes SupportedAxes => All;

    /// <inheritdoc/>
    public ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ScoringInput.EnsureAxes(request, SupportedAxes, ScorerNames.GateTaylor);
        IReadOnlyList<TokenBatch> batches = ScoringInput.ReadCalibration(request, ScorerNames.GateTaylor, minimumTokens: 2, cancellationToken);
        LlamaShape shape = request.Model.Config.Shape;
        using var scope = NewDisposeScope();
        using LlamaGates gates = LlamaGates.Ones(shape, request.Axes, requiresGrad: true, request.Model.Device);
        var sums = new GateGradients(shape, gates, _absolutePerBatch ? batches.Count : 1);
        new GradientPass(request.Model, gates, "Gate gradients", progress, cancellationToken).Run(batches, sums);
        return Single.Where(axis => request.Axes.HasFlag(axis))
            .Aggregate(new ImportanceScores(shape, ScorerNames.GateTaylor), (scores, axis) => scores.With(axis, sums.Scores(axis)));
    }

    /// <summary>Sums of gate gradients; one table for each batch when absolute values are taken for every batch, else one in all.</summary>
    private sealed class GateGradients : IGradientSink
    {
        private readonly LlamaShape _shape;
        private readonly LlamaGates _gates;
        private readonly Dictionary<PruningAxes, double[][]>[] _tables;   // [batch or 0]: axis -> rows
        private readonly List<(PruningAxes Axis, int Row)> _wanted = [];

        public GateGradients(LlamaShape shape, LlamaGates gates, int tables)
        {
            (_shape, _gates) = (shape, gates);
            _tables = [.. Enumerable.Range(0, tables).Select(_ => Empty())];
        }

        public IReadOnlyList<Tensor> Begin(LlamaBlock block)
        {
            int layer = block.Layer;
            LayerShape sizes = _shape.Layers[layer];
            var leaves = new List<Tensor>();
            void Want(bool used, PruningAxes axis, int row, Tensor? gate)
            {
                if (!used || gate is null)
                    return;
                leaves.Add(gate);
                _wanted.Add((axis, row));
            }

            Want(sizes.HasAttention, PruningAxes.QueryHeads, layer, _gates.QueryHeads?[layer]);
            Want(sizes.HasAttention, PruningAxes.KeyValueGroups, layer, _gates.KeyValueGroups?[layer]);
            Want(sizes.HasMlp, PruningAxes.Intermediate, layer, _gates.Intermediate?[layer]);
            Want(sizes.HasAttention, PruningAxes.Attention, 0, _gates.Attention);
            Want(sizes.HasMlp, PruningAxes.Mlp, 0, _gates.Mlp);
            Want(sizes.HasAttention || sizes.HasMlp, PruningAxes.Layers, 0, _gates.Layers);
            return leaves;
        }

        public void Add(int layer, int batch, IReadOnlyList<Tensor> gradients)
        {
            Dictionary<PruningAxes, double[][]> table = _tables[_tables.Length == 1 ? 0 : batch];
            int hidden = gradients.Count - _wanted.Count;
            for (int i = 0; i < gradients.Count; i++)
            {
                (PruningAxes axis, int row) = i < hidden ? (PruningAxes.Hidden, 0) : _wanted[i - hidden];
                double[] sums = table[axis][row];
                float[] values = HostValues.Floats(gradients[i]);
                for (int u = 0; u < sums.Length; u++)
                    sums[u] += values[u];
            }
        }

        public void Complete(LlamaBlock block)
        {
        }

        public void Release() => _wanted.Clear();

        public IEnumerable<IEnumerable<double>> Scores(PruningAxes axis) => _tables[0][axis]
            .Select((row, r) => row.Select((_, u) => _tables.Sum(t => Math.Abs(t[axis][r][u]))));

        private Dictionary<PruningAxes, double[][]> Empty()
        {
            int layers = _shape.Layers.Length;
            return new Dictionary<PruningAxes, double[][]>
            {
                [PruningAxes.Hidden] = [new double[_shape.HiddenSize]],
                [PruningAxes.QueryHeads] = [.. _shape.Layers.Select(l => new double[l.QueryHeads])],
                [PruningAxes.KeyValueGroups] = [.. _shape.Layers.Select(l => new double[l.KeyValueHeads])],
                [PruningAxes.Intermediate] = [.. _shape.Layers.Select(l => new double[l.IntermediateSize])],
                [PruningAxes.Attention] = [new double[layers]],
                [PruningAxes.Mlp] = [new double[layers]],
                [PruningAxes.Layers] = [new double[layers]],
            };
        }
    }
}
