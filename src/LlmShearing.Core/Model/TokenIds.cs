using static TorchSharp.torch;

namespace LlmShearing.Model;

/// <summary>Token ids on the border between managed data and tensors.</summary>
public static class TokenIds
{
    /// <summary>Refuses ids that the model has no embedding for.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="config">Configuration of the model.</param>
    /// <exception cref="TokenDataException">An id is not below the vocabulary size.</exception>
    public static void EnsureInVocabulary(TokenBatch batch, LlamaConfig config)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(config);
        int vocabulary = config.Shape.VocabSize;
        ReadOnlySpan<int> ids = batch.Ids;
        for (int i = 0; i < ids.Length; i++)
            if ((uint)ids[i] >= (uint)vocabulary)
                throw new TokenDataException($"Row {i / batch.SequenceLength}, token {i % batch.SequenceLength}: id {ids[i]} is outside the model's vocabulary of {vocabulary}. Use the tokenizer that belongs to the model.");
    }

    /// <summary>The ids as a tensor, after checking them against the vocabulary.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="source">The model that will read them.</param>
    /// <returns>[B, T], int64, in the caller's dispose scope.</returns>
    /// <exception cref="TokenDataException">An id is not below the vocabulary size.</exception>
    public static Tensor ToTensor(TokenBatch batch, ILlamaSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        EnsureInVocabulary(batch, source.Config);
        long[] ids = new long[batch.Ids.Length];
        for (int i = 0; i < ids.Length; i++)
            ids[i] = batch.Ids[i];
        return tensor(ids, batch.BatchSize, batch.SequenceLength, device: source.Device);
    }
}
