// Angles between the states around windows of blocks: one forward pass gives every window of every size.
using System.Collections.Immutable;
using LlmShearing.Devices;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>
/// Angular distance arccos(cos(x_s, x_s+n)) / pi at the last real token of each sequence (Gromov et al.; PruneMe layer_similarity.py),
/// mean over the sequences of a batch, then mean over batches. Small = the n blocks from s do little together.
/// Fills <see cref="ImportanceScores.BlockWindows"/> for n = 1 .. N-1, and Layers from the windows of one block.
/// </summary>
/// <remarks>Keeps nothing between calls: any number of threads may use one instance, also on one model at once (see <see cref="LlamaModel"/>).</remarks>
public sealed class AngularDistanceScorer : IImportanceScorer
{
    private readonly AngularStates _states;
    private readonly long _activationBytes;
    private readonly long _stateBytes;

    /// <summary>Creates the scorer.</summary>
    /// <param name="options">Options, or null for the defaults. Copied.</param>
    /// <exception cref="ScoringException">An option is out of range.</exception>
    public AngularDistanceScorer(AngularDistanceOptions? options = null)
    {
        options ??= new AngularDistanceOptions();
        ScoringInput.EnsureOptions(options, ScorerNames.Angular);
        (_states, _activationBytes, _stateBytes) = (options.States, options.MaxActivationBytes, options.MaxStateBytes);
    }

    /// <inheritdoc/>
    public PruningAxes SupportedAxes => PruningAxes.Layers;

    /// <inheritdoc/>
    /// <remarks>Under <see cref="AngularStates.PruneMe"/> a window at block 0 is not offered: NaN in BlockWindows, infinity in Layers.</remarks>
    public ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ScoringInput.EnsureAxes(request, SupportedAxes, ScorerNames.Angular);
        IReadOnlyList<TokenBatch> batches = ScoringInput.ReadCalibration(request, ScorerNames.Angular, minimumTokens: 1, cancellationToken);
        ILlamaSource source = request.Model;
        int layers = source.Config.Shape.Layers.Length;
        var last = new Dictionary<CalibrationRows, double[][]>();                                // group -> states 0..N, each [R * H]
        StatePass.Run(source, batches, countPadding: false, _activationBytes, _stateBytes, "Angular distance", Observe, progress, cancellationToken);
        return ToScores(source.Config.Shape, Mean(last, batches, source.Config.Shape));

        void Observe(int layer, CalibrationRows rows, Tensor before, Tensor after)
        {
            if (!last.TryGetValue(rows, out double[][]? states))
                last[rows] = states = new double[layers + 1][];
            if (layer == 0)
                states[0] = LastTokens(rows, before);
            bool normed = layer == layers - 1 && _states == AngularStates.PruneMe;
            states[layer + 1] = LastTokens(rows, normed ? source.FinalNorm(after) : after);
        }
    }

    // [R, T, H] -> unit vectors of the last real tokens, float64 [R * H].
    private static double[] LastTokens(CalibrationRows rows, Tensor states)
    {
        long[] positions = [.. Enumerable.Range(0, rows.Rows).Select(r => ((long)r * rows.Length) + rows.LastReal(r))];
        Tensor x = states.reshape(rows.Tokens, -1).index_select(0, tensor(positions, device: states.device)).cpu().to(ScalarType.Float64);   // [R, H]; not every device has float64
        return HostValues.Doubles(x.div_(x.norm(-1, keepdim: true)));
    }

    // [N + 1, N + 1] distances: mean over batches of means over their rows.
    private static double[,] Mean(Dictionary<CalibrationRows, double[][]> last, IReadOnlyList<TokenBatch> batches, LlamaShape shape)
    {
        int states = shape.Layers.Length + 1, width = shape.HiddenSize;
        double[,] mean = new double[states, states];
        foreach ((CalibrationRows rows, double[][] vectors) in last)
            for (int r = 0; r < rows.Rows; r++)
                for (int i = 0; i < states; i++)
                    for (int j = i + 1; j < states; j++)
                    {
                        double cosine = Dot(vectors[i].AsSpan(r * width, width), vectors[j].AsSpan(r * width, width));
                        mean[i, j] += Math.Acos(Math.Clamp(cosine, -1, 1)) / Math.PI / batches[rows.Batches[r]].BatchSize / batches.Count;
                    }

        return mean;
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }

    private ImportanceScores ToScores(LlamaShape shape, double[,] mean)
    {
        int layers = shape.Layers.Length;
        bool offersFirst = _states == AngularStates.EveryWindow;
        double Window(int start, int n) => start == 0 && !offersFirst ? double.NaN : mean[start, start + n];
        ImmutableArray<ImmutableArray<double>> windows =
            [.. Enumerable.Range(1, Math.Max(0, layers - 1)).Select(n => Enumerable.Range(0, layers - n + 1).Select(s => Window(s, n)).ToImmutableArray())];
        return new ImportanceScores(shape, ScorerNames.Angular) { BlockWindows = windows }
            .With(PruningAxes.Layers, Enumerable.Range(0, layers).Select(s => Window(s, 1)).Select(d => double.IsNaN(d) ? double.PositiveInfinity : d));
    }
}
