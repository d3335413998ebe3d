// Forward and backward of one micro-batch, block by block. Gradients are added to .grad by leaf backward, so parameters of taps and gates
// are reached without being known here. Below the lowest block with something to train no graph is made and nothing is kept.
using LlmShearing.Devices;
using LlmShearing.Model;
using LlmShearing.Training.Optimization;
using static TorchSharp.torch;

namespace LlmShearing.Training.Steps;

/// <summary>One micro-batch through a model and back.</summary>
internal sealed class MicroBatchPass
{
    private const int DeepModel = 12;

    private readonly LlamaModel _model;
    private readonly LlamaGates? _gates;
    private readonly TrainingStepOptions _options;
    private readonly CancellationToken _cancellationToken;
    private readonly LlamaPass _pass;
    private readonly Tensor _ids;                            // [B, T]
    private readonly (Tensor Input, Tensor? Output)[] _kept; // by block; an output carries the block's graph

    /// <summary>Prepares a micro-batch inside the caller's dispose scope.</summary>
    public MicroBatchPass(LlamaModel model, TrainingBatch batch, Tensor ids, LlamaGates? gates, TrainingStepOptions options, CancellationToken cancellationToken)
    {
        (_model, _ids, _gates, _options, _cancellationToken) = (model, ids, gates, options, cancellationToken);
        _kept = new (Tensor, Tensor?)[model.layers.Count];
        using var noGrad = no_grad();
        _pass = LlamaPass.Begin(model.Config, batch.Tokens.BatchSize, batch.Tokens.SequenceLength, ForwardOptionsOf(batch, gates), model.Dtype, model.Device);
    }

    /// <summary>
    /// Whether a block's graph is kept from its forward to its backward run. With recomputation that is the last block's alone, whose backward run comes next, and in a deep model
    /// not even that: it would lie under the logits, where memory peaks, to save one run of many.
    /// </summary>
    public static bool KeepsGraph(bool recompute, int layer, int blocks) => !recompute || (layer == blocks - 1 && blocks < DeepModel);

    private bool TrainsEmbedding => _model.embed_tokens.weight.requires_grad;

    private bool NeedsEmbedding => TrainsEmbedding || _gates is { Hidden.requires_grad: true, GateEmbedding: true };

    /// <summary>Adds the gradients of scale * sum of losses.</summary>
    /// <param name="scored">Flat indices of scored positions [N], int64.</param>
    /// <param name="targets">Ids to predict [N], int64.</param>
    /// <param name="objective">The loss.</param>
    /// <param name="scale">Weight of one token.</param>
    /// <param name="losses">Receives the sums of losses.</param>
    public void Run(Tensor scored, Tensor targets, IMicroBatchObjective objective, double scale, LossSums losses)
    {
        using var scope = NewDisposeScope();
        Tensor last = Forward(objective, scale, losses, out int lowest);                                 // [B, T, H]
        var head = new HeadPass(_model, _pass, _options.LogitBytes, _cancellationToken);
        Tensor? gradient = head.Run(last, scored, targets, objective, scale, losses, lowest < _kept.Length || NeedsEmbedding);   // [B, T, H]
        for (int layer = _kept.Length - 1; layer >= lowest && gradient is not null; layer--)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            gradient = ThroughBlock(layer, gradient, objective, scale, losses);
        }

        if (gradient is not null)
            ThroughEmbedding(gradient);
    }

    internal static ForwardOptions ForwardOptionsOf(TrainingBatch batch, LlamaGates? gates)
    {
        int length = batch.Tokens.SequenceLength;
        bool[]? mask = null;
        if (batch.Tokens.HasPadding)
        {
            // Padding on the right needs no mask: causal attention never looks at it.
            mask = batch.Tokens.AttentionMask.ToArray();
            bool needed = false;
            for (int i = 1; i < mask.Length && !needed; i++)
                needed = i % length != 0 && mask[i] && !mask[i - 1];
            mask = needed ? mask : null;
        }

        long[]? positions = batch.IsPacked ? batch.Positions.ToArray() : null;
        bool several = false;
        for (int i = 1; positions is not null && i < positions.Length && !several; i++)
            several = i % length != 0 && positions[i] != positions[i - 1] + 1;
        return new ForwardOptions { AttentionMask = mask, Positions = positions, Packed = several, Gates = gates };
    }

    // Output of the last block, without a graph. lowest: the first block with something to train in it or before it; the number of blocks when there is none.
    private Tensor Forward(IMicroBatchObjective objective, double scale, LossSums losses, out int lowest)
    {
        int count = _kept.Length;
        lowest = NeedsEmbedding ? 0 : count;
        Tensor x;
        using (no_grad())
            x = _model.Embed(_ids, _pass);                                                               // [B, T, H]
        for (int layer = 0; layer < count; layer++)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            bool known = lowest <= layer;
            bool keepGraph = KeepsGraph(_options.Recompute, layer, count);
            Tensor input = x.detach().requires_grad_(NeedsEmbedding || lowest < layer);
            Tensor output;
            using (keepGraph || !known ? enable_grad() : no_grad())   // as long as nothing was found to train, the graph tells
                output = _model.layers[layer].forward(input, _pass);
            x.Dispose();
            x = output.detach();
            if (objective.Observes)
                objective.Observe(layer, x, HasAttention(layer));
            if (known || output.requires_grad)
            {
                lowest = Math.Min(lowest, layer);
                _kept[layer] = (input, keepGraph ? output : null);
            }
            else
            {
                input.Dispose();
                if (objective.Wants(layer))   // the loss here is reported, its gradient leads nowhere
                    objective.AtBlock(layer, x, scale, losses)?.Dispose();
            }

            if (_kept[layer].Output is null)
                output.Dispose();
        }

        return x;
    }

    private bool HasAttention(int layer)
    {
        if (_model.layers[layer].self_attn is null)
            return false;
        using var scope = NewDisposeScope();
        return _gates?.AttentionGate(layer, ScalarType.Float32) is not { } gate || HostValues.Number(gate) != 0;
    }

    // Gradient of the block's output [B, T, H] -> gradient of its input, or null when that is not needed.
    private Tensor? ThroughBlock(int layer, Tensor gradient, IMicroBatchObjective objective, double scale, LossSums losses)
    {
        using var scope = NewDisposeScope();
        (Tensor input, Tensor? output) = _kept[layer];
        using (enable_grad())
            output ??= _model.layers[layer].forward(input, _pass);                                       // [B, T, H]
        Tensor total = gradient;
        if (objective.Wants(layer) && objective.AtBlock(layer, output.detach(), scale, losses) is { } extra)
            total = total + extra.to(total.dtype);
        output.backward([total]);
        if (_model.Dtype != ScalarType.Float32)
            Gradients.Widen(_model.layers[layer].parameters());
        Tensor? before = input.requires_grad ? input.grad!.MoveToOuterDisposeScope() : null;
        gradient.Dispose();
        output.Dispose();
        input.Dispose();
        return before;
    }

    private void ThroughEmbedding(Tensor gradient)
    {
        using var scope = NewDisposeScope();
        LlamaEmbedding embedding = _model.embed_tokens;
        Tensor ids = _ids.reshape(-1);                                                                   // [B * T]
        Tensor rows = gradient.reshape(ids.shape[0], -1);                                                // [B * T, H]
        if (_pass.EmbeddingGate is { } gate)
        {
            Tensor plain = embedding.weight.detach().index_select(0, ids).requires_grad_(TrainsEmbedding);
            using (enable_grad())
                (plain * gate.to(plain.dtype)).backward([rows]);
            if (!TrainsEmbedding)
                return;
            rows = plain.grad!;
        }

        if (embedding.Padding is { } padding)
            rows = rows.masked_fill(ids.eq(padding).unsqueeze(1), 0);
        Gradients.AddRows(embedding.weight, ids, rows);
    }
}
