namespace LlmShearing.Cli.Terminal;

/// <summary>The command line asks for something that does not make sense, or names a file that cannot be used. Ends with exit code 2.</summary>
internal sealed class UsageException(string message, Exception? innerException = null) : ShearingException(message, innerException);
