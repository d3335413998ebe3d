namespace LlmShearing.Lora;

/// <summary>Adapters cannot be attached or merged: an option is out of range, a target is not in the model, a value is not finite. Problems of adapter folders are <see cref="CheckpointException"/>.</summary>
/// <param name="message">What is wrong; names the option or the tensor, and what to do.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class LoraException(string message, Exception? innerException = null) : ShearingException(message, innerException);
