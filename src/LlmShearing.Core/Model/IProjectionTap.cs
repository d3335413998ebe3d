using static TorchSharp.torch;

namespace LlmShearing;

/// <summary>Something attached to one projection: a low-rank delta, or a recorder of its input. One per projection.</summary>
public interface IProjectionTap
{
    /// <summary>Called with the projection's input [..., in]; runs inside the caller's dispose scope.</summary>
    /// <param name="input">The input after input gates; must not be disposed or changed.</param>
    /// <returns>A delta [..., out] added to the projection's output, or null.</returns>
    Tensor? OnForward(Tensor input);
}
