namespace LlmShearing.Tokenizers;

/// <summary>A tokenizer file is missing, damaged or asks for something that is not supported. The message names the file and the place.</summary>
public sealed class TokenizerException : Exception
{
    /// <summary>Creates the exception without a message of its own.</summary>
    public TokenizerException()
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong and where.</param>
    public TokenizerException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong and where.</param>
    /// <param name="innerException">The cause.</param>
    public TokenizerException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
