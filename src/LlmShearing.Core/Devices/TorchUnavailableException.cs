namespace LlmShearing.Devices;

/// <summary>TorchSharp's native library cannot be loaded: the application has no libtorch, or one that does not fit the system. Raised before the first tensor.</summary>
/// <param name="message">What is missing, and which package or property helps.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class TorchUnavailableException(string message, Exception? innerException = null) : ShearingException(message, innerException);
