using static TorchSharp.torch;

namespace LlmShearing;

/// <summary>Something attached to one projection: a low-rank delta, or a recorder of its input. One per projection.</summary>
public interface IProjectionTap
{
    /// <summary>Called with the projection's input [..., in]; runs inside the caller's dispose scope.</summary>
    /// <param name="input">The input after input gates; must not be disposed or changed.</param>
    /// <returns>A delta [..., out] added to the projection's output, or null.</returns>
    Tensor? OnForward(Tensor input);

    /// <summary>Called with input and output; by default adds what <see cref="OnForward(Tensor)"/> returns. Taps that can add more cheaply than by a delta do it here.</summary>
    /// <param name="input">The input after input gates [..., in]; must not be disposed or changed.</param>
    /// <param name="output">The projection's own output [..., out]; must not be used by the caller afterwards.</param>
    /// <returns>[..., out], in the type of <paramref name="output"/>; may be <paramref name="output"/> itself.</returns>
    Tensor OnForward(Tensor input, Tensor output) => OnForward(input) is { } delta ? output + delta.to(output.dtype) : output;
}
