namespace LlmShearing.Masks;

/// <summary>Which masked model a fold reproduces.</summary>
public sealed record MaskFoldOptions
{
    /// <summary>
    /// Whether the hidden values multiplied the embedding of the masked model (<see cref="LlamaGates.GateEmbedding"/>). The folded model equals that forward pass either way.
    /// </summary>
    /// <value>Default true.</value>
    public bool GateEmbedding { get; init; } = true;

    /// <summary>
    /// Whether the output projection is multiplied by the hidden values as well, as LLM-Shearing does (models/composer_llama.py, prune_params). The final norm already carries them, so the
    /// result then differs from the masked model. Only for comparison with models cut by the original; not possible with tied embeddings.
    /// </summary>
    /// <value>Default false.</value>
    public bool ReferenceOutput { get; init; }

    /// <summary>
    /// Whether every value that is not zero counts as one: units are cut, and the weights of the others stay as they are. The result differs from the masked model. In short runs, whose values have
    /// not settled near one, it is the better start for further training (docs/results.md).
    /// </summary>
    /// <value>Default false.</value>
    public bool Harden { get; init; }
}
