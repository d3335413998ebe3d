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

/// <summary>A pruning plan, a plan file or a target shape is not valid for its model.</summary>
/// <param name="message">What is wrong; names the layer, axis or key.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class PlanException(string message, Exception? innerException = null) : ShearingException(message, innerException);

/// <summary>Scores cannot be computed or used: an axis is missing, a value is not finite, an option does not fit.</summary>
/// <param name="message">What is wrong; names the axis, layer or tensor.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class ScoringException(string message, Exception? innerException = null) : ShearingException(message, innerException);

/// <summary>Token data does not fit: ids outside the vocabulary, empty calibration, sequences that are too short.</summary>
/// <param name="message">What is wrong; names the row and the value.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class TokenDataException(string message, Exception? innerException = null) : ShearingException(message, innerException);

/// <summary>TorchSharp's native library cannot be loaded: the application has no libtorch, or one that does not fit the system. Raised before the first tensor.</summary>
/// <param name="message">What is missing, and which package or property helps.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class TorchUnavailableException(string message, Exception? innerException = null) : ShearingException(message, innerException);
