namespace LlmShearing.Training;

/// <summary>Training cannot start, go on or resume: an option is out of range, a loss is not finite, a run folder is in use or belongs to another configuration.</summary>
/// <param name="message">What is wrong; names the option, the step or the file, and what to do.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class TrainingException(string message, Exception? innerException = null) : ShearingException(message, innerException);
