namespace LlmShearing;

/// <summary>A checkpoint folder, its config.json, index or weight files cannot be read, written or used.</summary>
/// <param name="message">What is wrong; names the file and the key or tensor.</param>
/// <param name="path">The file or folder concerned.</param>
/// <param name="innerException">The cause, when there is one.</param>
public class CheckpointException(string message, string? path = null, Exception? innerException = null)
    : ShearingException(message, innerException)
{
    /// <summary>The file or folder concerned, when known.</summary>
    public string? Path { get; } = path;
}
