// A micro-batch on its way into the model.
using static TorchSharp.torch;

namespace LlmShearing;

/// <summary>Ids [B, T], int64, in the scope in which it was made, and how attention sees them.</summary>
internal sealed record TrainingInput(TrainingBatch Batch, Tensor Ids)
{
    /// <exception cref="TokenDataException">An id is outside the vocabulary.</exception>
    public static TrainingInput Of(TrainingBatch batch, LlamaModel model)
    {
        ReadOnlySpan<int> ids = batch.Tokens.Ids;
        int vocabulary = model.Config.Shape.VocabSize;
        long[] wide = new long[ids.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            if (ids[i] >= vocabulary)
                throw new TokenDataException($"Row {i / batch.Tokens.SequenceLength}, token {i % batch.Tokens.SequenceLength} ({batch.Source}): id {ids[i]} is outside the model's vocabulary of {vocabulary}. The data were made with another tokenizer.");
            wide[i] = ids[i];
        }

        return new TrainingInput(batch, tensor(wide, batch.Tokens.BatchSize, batch.Tokens.SequenceLength, device: model.Device));
    }

    /// <summary>Begins a pass over it. Padding on the right needs no mask: no real token sees it.</summary>
    public LlamaPass Begin(LlamaModel model, LlamaGates? gates)
    {
        TokenBatch tokens = Batch.Tokens;
        var options = new ForwardOptions
        {
            AttentionMask = PadsBeforeText() ? tokens.AttentionMask.ToArray() : null,
            Positions = Batch.IsPacked ? Batch.Positions.ToArray() : null,
            Packed = Batch.IsPacked,
            Gates = gates,
        };
        return LlamaPass.Begin(model.Config, tokens.BatchSize, tokens.SequenceLength, options, model.Dtype, model.Device);
    }

    private bool PadsBeforeText()
    {
        for (int row = 0; row < Batch.Tokens.BatchSize; row++)
            for (int t = 1; t < Batch.Tokens.SequenceLength; t++)
                if (Batch.Tokens.IsReal(row, t) && !Batch.Tokens.IsReal(row, t - 1))
                    return true;
        return false;
    }
}
