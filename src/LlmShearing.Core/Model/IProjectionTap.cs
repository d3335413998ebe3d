using static TorchSharp.torch;

namespace LlmShearing.Model;

/// <summary>Something attached to one projection: a low-rank delta, or a recorder of its input. One per projection.</summary>
public interface IProjectionTap
{
    /// <summary>Called with the projection's input [..., in]; runs inside the caller's dispose scope.</summary>
    /// <param name="input">The input after input gates; must not be disposed or changed.</param>
    /// <returns>A delta [..., out] added to the projection's output, or null.</returns>
    Tensor? OnForward(Tensor input);

    /// <summary>Computes the tapped projection; by default its own output plus what <see cref="OnForward(Tensor)"/> returns. Taps that can do both more cheaply do it here.</summary>
    /// <param name="projection">The tapped projection; <see cref="Projection.Linear"/> is its own output.</param>
    /// <param name="input">The input after input gates [..., in]; must not be disposed or changed.</param>
    /// <returns>[..., out], in the type of the projection's own output.</returns>
    Tensor Project(Projection projection, Tensor input)
    {
        Tensor output = projection.Linear(input);
        return OnForward(input) is { } delta ? (output + delta).to(output.dtype) : output;
    }
}
