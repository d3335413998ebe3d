// The error of everything that reads tokenizer files.
namespace LlmShearing.Tokenizers;

/// <summary>A tokenizer file is missing, damaged or asks for something that is not supported. The message names the file and the place.</summary>
/// <param name="message">What is wrong and where.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class TokenizerException(string message, Exception? innerException = null) : ShearingException(message, innerException);
