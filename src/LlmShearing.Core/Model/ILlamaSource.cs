// A LLaMA to read. Forward-only work is written layer-major against this, so that it also runs on models larger than memory.
using LlmShearing.Model;
using static TorchSharp.torch;

namespace LlmShearing;

/// <summary>A LLaMA to read: a resident <see cref="LlamaModel"/>, or a checkpoint folder streamed block by block.</summary>
public interface ILlamaSource
{
    /// <summary>Configuration and shape of the model.</summary>
    LlamaConfig Config { get; }

    /// <summary>What the user calls the model, for messages and provenance.</summary>
    string Name { get; }

    /// <summary>Type of the activations.</summary>
    ScalarType Dtype { get; }

    /// <summary>Where the work is done.</summary>
    Device Device { get; }

    /// <summary>Whether all weights stay in memory. Where not, send many states through a block before asking for the next one. Default true.</summary>
    bool IsResident => true;

    /// <summary>Embeds token ids.</summary>
    /// <param name="ids">[B, T], int64.</param>
    /// <param name="pass">The pass whose hidden gate applies, or null.</param>
    /// <returns>[B, T, H] in the caller's dispose scope.</returns>
    Tensor Embed(Tensor ids, LlamaPass? pass = null);

    /// <summary>Borrows a block. Ask for blocks in ascending order: a streamed source reads the next one ahead.</summary>
    /// <param name="layer">0-based index.</param>
    /// <returns>Dispose it when the block is no longer needed.</returns>
    BlockLease AcquireBlock(int layer);

    /// <summary>The final norm.</summary>
    /// <param name="hidden">[..., H].</param>
    /// <param name="pass">The pass whose hidden gate applies, or null.</param>
    /// <returns>[..., H] in the caller's dispose scope.</returns>
    Tensor FinalNorm(Tensor hidden, LlamaPass? pass = null);

    /// <summary>Projects normed states to logits.</summary>
    /// <param name="normed">[..., H], after <see cref="FinalNorm"/>.</param>
    /// <returns>[..., V] in the caller's dispose scope.</returns>
    Tensor Logits(Tensor normed);

    /// <summary>The output projection in slices of its vocabulary rows. Each slice is only valid until the next is asked for.</summary>
    /// <param name="rows">Rows a slice, at least 1.</param>
    /// <returns>First row and slice [rows, H].</returns>
    IEnumerable<(long Start, Tensor Weight)> HeadChunks(long rows);

    /// <summary>Rows of the output projection.</summary>
    /// <param name="ids">Token ids [N], int64.</param>
    /// <returns>[N, H] in the caller's dispose scope.</returns>
    Tensor HeadRows(Tensor ids);
}
