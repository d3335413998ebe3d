using TorchSharp.Modules;

namespace LlmShearing.Lora;

/// <summary>Attaches trainable low-rank updates to the projections of a model: the recovery after pruning.</summary>
public interface ILoraAdapter
{
    /// <summary>Size and place of the adapters.</summary>
    LoraOptions Options { get; }

    /// <summary>
    /// Attaches fresh adapters. The model computes the same as before, since one factor starts at zero. Its own weights do not require gradients while adapters are attached.
    /// </summary>
    /// <param name="model">The model; its weights stay where they are. Convert it to its device and dtype first.</param>
    /// <returns>The attachment; disposing it leaves the model as it was.</returns>
    /// <exception cref="InvalidOperationException">A projection has a tap already.</exception>
    LoraAttachment Attach(LlamaModel model);
}

/// <summary>Adapters attached to one model. Disposing detaches them and frees their weights; what was merged stays merged.</summary>
public abstract class LoraAttachment : IDisposable
{
    /// <summary>The model that the adapters are attached to.</summary>
    public abstract LlamaModel Model { get; }

    /// <summary>Size and place of the adapters.</summary>
    public abstract LoraOptions Options { get; }

    /// <summary>What an optimizer trains: A [r, in] and B [out, r] of every adapter, in float32. Owned by the attachment.</summary>
    public abstract IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>Whether the updates are part of the model's weights already.</summary>
    public abstract bool IsMerged { get; }

    /// <summary>Adds every update to its weight, computed in float32, and detaches the adapters.</summary>
    /// <exception cref="InvalidOperationException">The updates were merged already, or contain a value that is not finite; no weight is changed then.</exception>
    public abstract void Merge();

    /// <summary>Writes the adapters in the layout of PEFT: adapter_config.json and adapter_model.safetensors.</summary>
    /// <param name="folder">Created when absent; files are replaced only when everything is written.</param>
    /// <exception cref="CheckpointException">The folder cannot be written.</exception>
    public abstract void Save(string folder);

    /// <summary>Detaches the adapters and frees their weights.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Detaches and frees; called once or more.</summary>
    /// <param name="disposing">True when called from <see cref="Dispose()"/>.</param>
    protected abstract void Dispose(bool disposing);
}
