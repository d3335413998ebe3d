namespace LlmShearing.Data.Domains;

/// <summary>Reference losses cannot be read, or no scaling law goes through measured losses.</summary>
/// <param name="message">What is wrong; names the file, the domain or the model sizes.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class ReferenceLossException(string message, Exception? innerException = null) : ShearingException(message, innerException);
