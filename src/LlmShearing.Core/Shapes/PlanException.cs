namespace LlmShearing;

/// <summary>A pruning plan, a plan file or a target shape is not valid for its model.</summary>
/// <param name="message">What is wrong; names the layer, axis or key.</param>
/// <param name="innerException">The cause, when there is one.</param>
public sealed class PlanException(string message, Exception? innerException = null) : ShearingException(message, innerException);
