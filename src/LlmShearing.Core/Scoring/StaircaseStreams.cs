// The hidden states of a staircase: one stream for each removal, all in one tensor, so that neighbours share a matrix product.
using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing.Scoring;

/// <summary>
/// The streams of one group of rows. Slot j is the stream without the j-th block. Before the k-th block, slot k holds the intact stream:
/// the block writes its output to slot k + 1 and leaves slot k as it is, which makes slot k the stream that skipped it.
/// </summary>
internal sealed class StaircaseStreams
{
    private readonly ILlamaSource _source;
    private readonly int _slots;
    private readonly int _atOnce;
    private readonly Tensor _states;      // [slots * R, T, H]
    private readonly LlamaPass? _pass;    // null: masks differ between rows, a pass is made for each slice

    /// <summary>Embeds the rows. The state belongs to the caller's dispose scope.</summary>
    public StaircaseStreams(ILlamaSource source, CalibrationRows rows, int slots, long activationBytes)
    {
        (_source, Rows, _slots) = (source, rows, slots);
        _atOnce = ActivationBudget.RowsAtOnce(source, rows.Length, activationBytes);
        _states = empty([Math.Max(1, slots) * rows.Rows, rows.Length, source.Config.Shape.HiddenSize], dtype: source.Dtype, device: source.Device);
        _pass = rows.NeedsMask ? null : rows.Begin(source, 0, rows.Rows);
        using var scope = NewDisposeScope();
        _states.narrow(0, 0, rows.Rows).copy_(source.Embed(rows.Ids(source.Device)));
    }

    /// <summary>The calibration rows R of each stream.</summary>
    public CalibrationRows Rows { get; }

    /// <summary>Takes all streams through the k-th block.</summary>
    public void Climb(LlamaBlock block, int k, CancellationToken cancellationToken)
    {
        int intact = k * Rows.Rows, end = k + 1 < _slots ? intact + Rows.Rows : intact;   // nobody needs the intact stream after the last block
        for (int first = 0; first < end; first += _atOnce)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            int count = Math.Min(_atOnce, end - first);
            LlamaPass pass = _pass ?? Rows.Begin(_source, first % Rows.Rows, count);
            Tensor output = block.forward(_states.narrow(0, first, count), pass);         // [count, T, H]
            int removed = Math.Clamp(intact - first, 0, count);
            if (removed > 0)
                _states.narrow(0, first, removed).copy_(output.narrow(0, 0, removed));
            if (removed == count)
                continue;
            Tensor next = output.narrow(0, removed, count - removed);
            StatePass.EnsureFinite(next, block.Layer, _source.Name);
            _states.narrow(0, first + removed + Rows.Rows, count - removed).copy_(next);
        }
    }

    /// <summary>States of some rows of some streams [slots * count * T, H].</summary>
    public Tensor Slice(int slot, int slots, int first, int count) => _states
        .view(_slots, Rows.Rows, Rows.Length, -1).narrow(0, slot, slots).narrow(1, first, count)
        .reshape((long)slots * count * Rows.Length, -1);
}
