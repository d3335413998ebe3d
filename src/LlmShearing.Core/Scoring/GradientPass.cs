// Gradients with the memory of one block: forward without a graph keeping what enters each block, then, from the last block to the
// first, each block is run again with a graph and the gradient of its output is pushed through it. Works on a streamed source too.
using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>Says which gradients of a block are wanted and takes them. Blocks come from the last to the first.</summary>
internal interface IGradientSink
{
    /// <summary>Leaves of the block's graph to differentiate with respect to, besides the hidden gate; each must be used by the block.</summary>
    IReadOnlyList<Tensor> Begin(LlamaBlock block);

    /// <summary>
    /// Gradients of the mean loss of one batch, inside a dispose scope of their own: the hidden gate's first when there is one, then those asked for.
    /// Layer <see cref="GradientPass.Ends"/> is what embedding and final norm add to the hidden gate.
    /// </summary>
    void Add(int layer, int batch, IReadOnlyList<Tensor> gradients);

    /// <summary>All batches of the block are done.</summary>
    void Complete(LlamaBlock block);

    /// <summary>The block is given back, also after an error: undo what <see cref="Begin"/> changed.</summary>
    void Release();
}

/// <summary>The gradient of each batch's mean loss, block by block.</summary>
internal sealed class GradientPass(ILlamaSource source, LlamaGates? gates, string stage, IProgress<ShearingProgress>? progress, CancellationToken cancellationToken)
{
    private readonly int _layers = source.Config.Shape.Layers.Length;
    private long _done;

    /// <summary>Layer number under which the gradient of the hidden gate from embedding and final norm is reported.</summary>
    public const int Ends = -1;

    /// <summary>Runs all batches. A micro-batch is one batch: its loss is the mean over its scored tokens.</summary>
    /// <param name="batches">Batches with at least one scored token each.</param>
    /// <param name="sink">Takes the gradients.</param>
    public void Run(IReadOnlyList<TokenBatch> batches, IGradientSink sink)
    {
        using IDisposable? use = (source as LlamaModel)?.UseForGradients();
        using var scope = NewDisposeScope();
        CalibrationRows[] rows = [.. batches.Select((b, i) => CalibrationRows.Of(b, i))];
        Tensor[] ids = [.. rows.Select(r => r.Ids(source.Device))];
        Tensor[][] inputs = Forward(rows, ids);                                                          // [layer][batch] -> [B, T, H]
        Tensor[] gradients = new Tensor[rows.Length];                                                    // [batch] -> [B, T, H]
        for (int b = 0; b < rows.Length; b++)
            gradients[b] = FromLoss(rows[b], b, inputs[_layers][b], sink);
        for (int layer = _layers - 1; layer >= 0; layer--)
        {
            using BlockLease lease = source.AcquireBlock(layer);
            try
            {
                ThroughBlock(lease.Block, rows, inputs[layer], gradients, sink);
            }
            finally
            {
                sink.Release();
            }

            Advance();
        }

        if (gates?.Hidden is not null)
            for (int b = 0; b < rows.Length; b++)
                ThroughEmbedding(rows[b], b, ids[b], gradients[b], sink);
    }

    private Tensor[][] Forward(CalibrationRows[] rows, Tensor[] ids)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor[][] inputs = new Tensor[_layers + 1][];
        LlamaPass[] passes = [.. rows.Select(r => r.Begin(source, 0, r.Rows, gates))];
        inputs[0] = [.. rows.Select((_, b) => source.Embed(ids[b], passes[b]).MoveToOuterDisposeScope())];
        for (int layer = 0; layer < _layers; layer++)
        {
            using BlockLease lease = source.AcquireBlock(layer);
            inputs[layer + 1] = new Tensor[rows.Length];
            for (int b = 0; b < rows.Length; b++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Tensor after = lease.Block.forward(inputs[layer][b], passes[b]);
                StatePass.EnsureFinite(after, layer, source.Name);
                inputs[layer + 1][b] = after.MoveToOuterDisposeScope();
            }

            Advance();
        }

        return inputs;
    }

    // Final norm and output projection: [B, T, H] of the last block -> gradient of the loss with respect to it.
    private Tensor FromLoss(CalibrationRows rows, int batch, Tensor last, IGradientSink sink)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var grad = enable_grad();
        using var scope = NewDisposeScope();
        (long[] positions, long[] targets) = rows.Scored(0, rows.Rows);
        Tensor x = last.detach().requires_grad_();                                                       // [B, T, H]
        LlamaPass pass = rows.Begin(source, 0, rows.Rows, gates);
        Tensor scored = source.FinalNorm(x, pass).reshape(rows.Tokens, -1)
            .index_select(0, tensor(positions, device: source.Device));                                  // [n, H]
        (_, Tensor gradient) = LossGradient.Compute(source, scored, tensor(targets, device: source.Device), 1.0 / targets.Length);
        return Push(scored, gradient, x, Ends, batch, [], sink)!.MoveToOuterDisposeScope();
    }

    // Replaces the gradients of the block's outputs by those of its inputs; the inputs are not needed any more.
    private void ThroughBlock(LlamaBlock block, CalibrationRows[] rows, Tensor[] inputs, Tensor[] gradients, IGradientSink sink)
    {
        IReadOnlyList<Tensor> wanted = sink.Begin(block);
        for (int b = 0; b < rows.Length; b++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var grad = enable_grad();
            using var scope = NewDisposeScope();
            Tensor x = inputs[b].detach().requires_grad_();                                              // [B, T, H]
            Tensor output = block.forward(x, rows[b].Begin(source, 0, rows[b].Rows, gates));             // [B, T, H]
            Tensor before = Push(output, gradients[b], x, block.Layer, b, wanted, sink)!;                // [B, T, H]
            gradients[b].Dispose();
            inputs[b].Dispose();
            gradients[b] = before.MoveToOuterDisposeScope();
        }

        sink.Complete(block);
    }

    private void ThroughEmbedding(CalibrationRows rows, int batch, Tensor ids, Tensor gradient, IGradientSink sink)
    {
        if (!gates!.GateEmbedding)
            return;
        using var grad = enable_grad();
        using var scope = NewDisposeScope();
        Tensor output = source.Embed(ids, rows.Begin(source, 0, rows.Rows, gates));                      // [B, T, H]
        Push(output, gradient, null, Ends, batch, [], sink);
    }

    // Gradients with respect to the input (returned), the hidden gate and the targets. Leaves every .grad alone.
    private Tensor? Push(Tensor output, Tensor gradient, Tensor? input, int layer, int batch, IReadOnlyList<Tensor> wanted, IGradientSink sink)
    {
        List<Tensor> leaves = [];
        if (input is not null)
            leaves.Add(input);
        if (gates?.Hidden is { } hidden && (layer == Ends || HasSubBlock(layer)))
            leaves.Add(hidden);
        leaves.AddRange(wanted);
        // Asked for a leaf that the output does not depend on, autograd.grad ends the process unless that is allowed. Allowed, it gives an empty handle.
        if (!output.requires_grad)
            throw new ScoringException($"Nothing of block {layer} can be differentiated. A tap on one of its projections returns a result without a graph; detach it.");
        IList<Tensor> results = autograd.grad([output], leaves, [gradient.to(output.dtype)], allow_unused: true);
        if (results.Any(r => r.IsInvalid))
            throw new ScoringException($"The output of {(layer == Ends ? "embedding or final norm" : $"block {layer}")} does not depend on all of what it is to be differentiated by. A tap on one of its projections leaves out the input or the weight; detach it.");
        int skip = input is null ? 0 : 1;
        sink.Add(layer, batch, [.. results.Skip(skip)]);
        return input is null ? null : results[0];
    }

    private bool HasSubBlock(int layer) => source.Config.Shape.Layers[layer] is var l && (l.HasAttention || l.HasMlp);

    private void Advance() => progress?.Report(new ShearingProgress(stage, ++_done, 2L * _layers, "blocks"));
}
