namespace LlmShearing.Lora;

/// <summary>Attaches trainable low-rank updates to the projections of a model: the recovery after pruning.</summary>
public interface ILoraAdapter
{
    /// <summary>Size and place of the adapters.</summary>
    LoraOptions Options { get; }

    /// <summary>
    /// Attaches fresh adapters. The model computes the same as before, since one factor starts at zero. Its own weights do not require gradients while adapters are attached,
    /// but for those of <see cref="LoraOptions.ModulesToSave"/>.
    /// </summary>
    /// <param name="model">The model, of any shape; its weights stay where they are. Convert it to its device and dtype first.</param>
    /// <returns>The attachment; disposing it leaves the model as it was.</returns>
    /// <exception cref="LoraException">An option is out of range, or names what the model does not have.</exception>
    /// <exception cref="InvalidOperationException">A projection has a tap already.</exception>
    LoraAttachment Attach(LlamaModel model);
}
