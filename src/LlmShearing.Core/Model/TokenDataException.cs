namespace LlmShearing;

/// <summary>Token data does not fit: ids outside the vocabulary, empty calibration, sequences that are too short.</summary>
/// <param name="message">What is wrong; names the row and the value.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class TokenDataException(string message, Exception? innerException = null) : ShearingException(message, innerException);
