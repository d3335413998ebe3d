namespace LlmShearing.Devices;

/// <summary>A device or a type to compute in is unknown, not there, or cannot do what is asked.</summary>
/// <param name="message">What is wrong; names the value found and what is possible.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class DeviceException(string message, Exception? innerException = null) : ShearingException(message, innerException);
