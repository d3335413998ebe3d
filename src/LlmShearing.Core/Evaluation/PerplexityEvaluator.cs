// One evaluator for every protocol: windows in, losses out, layer-major, so that it runs on resident and on streamed models alike.
// Notation: B windows of a batch, T their padded length, H hidden size, N scored tokens.
using LlmShearing.Devices;
using LlmShearing.Execution;
using LlmShearing.Model;
using LlmShearing.Telemetry;
using Microsoft.Extensions.Logging;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Evaluation;

/// <summary>Measures perplexity. Log-softmax is in float32, sums are in double precision. Stateless; works without a container.</summary>
/// <param name="options">How much is done at once; null = defaults.</param>
/// <param name="logger">Receives a warning when windows reach beyond the model's positions; null = nothing.</param>
/// <remarks>Keeps nothing between calls: any number of threads may use one instance, also on one model at once (see <see cref="LlamaModel"/>).</remarks>
public sealed class PerplexityEvaluator(PerplexityOptions? options = null, ILogger? logger = null)
{
    private const string Stage = "perplexity";
    private readonly PerplexityOptions _options = options ?? new PerplexityOptions();

    /// <summary>Perplexity of a model on token ids.</summary>
    /// <param name="source">The model, resident or streamed; not changed.</param>
    /// <param name="rows">Token ids, one row per document or the pieces of one stream, as the protocol's join rule says.</param>
    /// <param name="protocol">The rules; null = <see cref="PerplexityProtocol.Documents"/>.</param>
    /// <param name="gates">Unit multipliers, for example of a plan that is not applied yet; null = none.</param>
    /// <param name="progress">Receives progress; may be null.</param>
    /// <param name="cancellationToken">Checked after every batch in every block.</param>
    /// <returns>Perplexity, counts, window losses and the protocol.</returns>
    /// <exception cref="TokenDataException">There is nothing to score, or an id is outside the vocabulary.</exception>
    /// <exception cref="EvaluationException">A loss is not a finite number; the message names the window and the block.</exception>
    public PerplexityResult Evaluate(
        ILlamaSource source,
        IReadOnlyList<int[]> rows,
        PerplexityProtocol? protocol = null,
        LlamaGates? gates = null,
        IProgress<ShearingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        LlamaModel.EnsureAlive(source);
        protocol ??= PerplexityProtocol.Documents;
        PerplexityWindows windows = WindowBuilder.Build(rows, protocol, source.Config.Shape.VocabSize, source.Config.BosTokenId);
        if (logger is not null && TrainedLength.Problem(source.Config, windows.Windows.Select(w => w.Ids.Length).DefaultIfEmpty(0).Max(), "Windows") is { } problem)
            CoreLog.BeyondTrainedLength(logger, problem);
        IReadOnlyList<float[]> losses = TokenLosses(source, windows.Windows, gates, progress, cancellationToken);
        return PerplexityResult.From(windows.Windows, losses, protocol) with
        {
            SkippedSequences = windows.SkippedSequences,
            UnusedTokens = windows.UnusedTokens,
        };
    }

    /// <summary>Negative log-likelihood of every scored token.</summary>
    /// <param name="source">The model, resident or streamed; not changed.</param>
    /// <param name="windows">Windows; each has at least one token to score.</param>
    /// <param name="gates">Unit multipliers; null = none.</param>
    /// <param name="progress">Receives progress; may be null.</param>
    /// <param name="cancellationToken">Checked after every batch in every block.</param>
    /// <returns>One array per window, in nats, of length <see cref="PerplexityWindow.Scored"/>.</returns>
    /// <exception cref="EvaluationException">A loss is not a finite number.</exception>
    public IReadOnlyList<float[]> TokenLosses(
        ILlamaSource source,
        IReadOnlyList<PerplexityWindow> windows,
        LlamaGates? gates = null,
        IProgress<ShearingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        LlamaModel.EnsureAlive(source);
        ArgumentNullException.ThrowIfNull(windows);
        int batchTokens = _options.BatchTokens ?? (source.IsResident ? PerplexityOptions.DefaultBatchTokens : PerplexityOptions.DefaultStreamedBatchTokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchTokens, 1, nameof(PerplexityOptions.BatchTokens));
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.StateBytes, 1, nameof(PerplexityOptions.StateBytes));
        if (windows.Count == 0 || windows.Any(w => w.Scored < 1 || w.FirstLabel < 0))
            throw new TokenDataException("Every window needs at least one token to score, and there must be a window.");

        // Dynamic scaling depends on the length of the row, padding included: only equal lengths may share a batch there.
        bool equalLengths = source.Config.RopeScaling.Type == RopeType.Dynamic;
        List<WindowBatch> batches = WindowBatch.Plan(windows, batchTokens, equalLengths);

        // A resident model is quickest batch by batch; a streamed one wants many states per read of the weights.
        long tokensPerGroup = source.IsResident ? 0 : _options.StateBytes / (source.Config.Shape.HiddenSize * source.Dtype.ElementSize());
        var losses = new float[windows.Count][];
        long steps = (long)batches.Count * (source.Config.Shape.Layers.Length + 1), done = 0;
        void Step()
        {
            progress?.Report(new ShearingProgress(Stage, ++done, steps));
            cancellationToken.ThrowIfCancellationRequested();
        }

        using IDisposable evaluation = no_grad();
        cancellationToken.ThrowIfCancellationRequested();
        foreach (WindowBatch[] group in WindowBatch.Group(batches, tokensPerGroup))
            Run(source, windows, group, gates, losses, Step);
        return losses;
    }

    private static void Run(ILlamaSource source, IReadOnlyList<PerplexityWindow> windows, WindowBatch[] group, LlamaGates? gates, float[][] losses, Action step)
    {
        using var scope = NewDisposeScope();
        var states = new Tensor[group.Length];                                                       // each [B, T, H]
        var passes = new LlamaPass[group.Length];
        var begun = new Dictionary<(int, int), LlamaPass>();
        for (int i = 0; i < group.Length; i++)
        {
            (int rows, int length) = (group[i].Windows.Length, group[i].Length);
            if (!begun.TryGetValue((rows, length), out LlamaPass? pass))
                begun[(rows, length)] = pass = LlamaPass.Begin(source.Config, rows, length, new ForwardOptions { Gates = gates }, source.Dtype, source.Device);
            passes[i] = pass;
            using Tensor ids = tensor(group[i].PaddedIds(windows), rows, length, device: source.Device);
            states[i] = source.Embed(ids, pass);
        }

        for (int layer = 0; layer < source.Config.Shape.Layers.Length; layer++)
        {
            using BlockLease lease = source.AcquireBlock(layer);
            for (int i = 0; i < group.Length; i++)
            {
                Tensor next = lease.Block.forward(states[i], passes[i]);
                states[i].Dispose();
                states[i] = next;
                step();
            }
        }

        float[] values = Losses(source, windows, group, states, passes, step);
        int at = 0;
        foreach (int w in group.SelectMany(b => b.Windows))
        {
            losses[w] = values.AsSpan(at, windows[w].Scored).ToArray();
            at += losses[w].Length;
            if (Array.FindIndex(losses[w], loss => !float.IsFinite(loss)) is >= 0 and int token)
                throw NotFinite(source, windows[w], w, token, losses[w][token], gates);
        }
    }

    // [N], the scored tokens of the group in order. The output projection is walked once for all of them.
    private static float[] Losses(ILlamaSource source, IReadOnlyList<PerplexityWindow> windows, WindowBatch[] group, Tensor[] states, LlamaPass[] passes, Action step)
    {
        using var scope = NewDisposeScope();
        (long[] Positions, long[] Targets)[] scored = [.. group.Select(b => b.Scored(windows))];
        Tensor normed = empty([scored.Sum(s => s.Targets.LongLength), source.Config.Shape.HiddenSize], dtype: source.Dtype, device: source.Device);   // [N, H]
        long at = 0;
        for (int i = 0; i < group.Length; i++)
        {
            using (var batch = NewDisposeScope())
            {
                Tensor flat = states[i].reshape(group[i].Tokens, -1);                                // [B * T, H]
                Tensor chosen = flat.index_select(0, tensor(scored[i].Positions, device: source.Device));
                normed.narrow(0, at, chosen.shape[0]).copy_(source.FinalNorm(chosen, passes[i]));
                at += chosen.shape[0];
            }

            states[i].Dispose();
            step();
        }

        Tensor targets = tensor(scored.SelectMany(s => s.Targets).ToArray(), device: source.Device);
        return HostValues.Floats(Execution.TokenLosses.Compute(source, normed, targets));
    }

    // Runs the one window again and looks at the states after every block: slow, but only on the way to an error.
    private static EvaluationException NotFinite(ILlamaSource source, PerplexityWindow window, int index, int token, float loss, LlamaGates? gates)
    {
        using var scope = NewDisposeScope();
        LlamaPass pass = LlamaPass.Begin(source.Config, 1, window.Ids.Length, new ForwardOptions { Gates = gates }, source.Dtype, source.Device);
        Tensor state = source.Embed(tensor(window.Ids.Select(i => (long)i).ToArray(), 1, window.Ids.Length, device: source.Device), pass);   // [1, T, H]
        string? place = IsFinite(state) ? null : "after the embedding";
        for (int layer = 0; place is null && layer < source.Config.Shape.Layers.Length; layer++)
        {
            using BlockLease lease = source.AcquireBlock(layer);
            Tensor next = lease.Block.forward(state, pass);
            state.Dispose();
            state = next;
            if (!IsFinite(state))
                place = $"after block {layer}";
        }

        place ??= IsFinite(source.FinalNorm(state, pass)) ? "in the output projection" : "after the final norm";
        return new EvaluationException(
            $"Window {index} (row {window.Row}, from token {window.Start}): the loss of its token {window.FirstScored + token} is {loss}; the first values that are not finite appear {place}. "
            + "Check the weights there; with 16-bit floats, try float32.");
    }

    private static bool IsFinite(Tensor x)
    {
        using var scope = NewDisposeScope();
        return HostValues.IsTrue(x.isfinite().all());
    }
}
