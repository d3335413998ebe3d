namespace LlmShearing;

/// <summary>Base of all errors that this library raises about its input. The message names the thing, the value found, the value expected and what to do.</summary>
public abstract class ShearingException : Exception
{
    /// <summary>Creates the error.</summary>
    /// <param name="message">What is wrong, in plain words.</param>
    /// <param name="innerException">The cause, when there is one.</param>
    protected ShearingException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
