namespace LlmShearing;

/// <summary>A LLaMA to read: a resident model, or a checkpoint folder streamed block by block.</summary>
public interface ILlamaSource
{
    /// <summary>Configuration and shape of the model.</summary>
    LlamaConfig Config { get; }
}
