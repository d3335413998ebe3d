// The update of one projection: s · B A dropout(x), in float32 whatever the base's type.
using LlmShearing.Model;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Lora;

internal sealed class LoraTap(LoraTarget target, ulong stream, Projection projection, Parameter a, Parameter b, LoraDropout dropout) : IProjectionTap
{
    public LoraTarget Target { get; } = target;

    public Projection Projection { get; } = projection;

    /// <summary>[r, in], float32.</summary>
    public Parameter A { get; } = a;

    /// <summary>[out, r], float32.</summary>
    public Parameter B { get; } = b;

    public Tensor? OnForward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return nn.functional.linear(Low(input), B).MoveToOuterDisposeScope();              // [..., out]
    }

    public Tensor Project(Projection owner, Tensor input) =>
        LoraFunction.Supports(owner, input) ? LoraFunction.Run(owner, input, A, B, Target.Scale, dropout.Mask(stream)) : Compose(owner, input);

    /// <summary>The same out of operators, for any device and type.</summary>
    internal Tensor Compose(Projection owner, Tensor input)
    {
        using var scope = NewDisposeScope();
        Tensor output = owner.Linear(input);                                               // [..., out]
        if (output.dtype != ScalarType.Float32)
            return (output + OnForward(input)!).to(output.dtype).MoveToOuterDisposeScope();     // the sum of 16 and 32 bits is made in 32, and rounded once
        Tensor low = Low(input).reshape(-1, Target.Rank);                                  // [N, r]
        Tensor flat = output.reshape(low.shape[0], -1);                                    // [N, out]
        return flat.addmm(low, B.t()).view(output.shape).MoveToOuterDisposeScope();        // one operator instead of one for the product and one for the sum
    }

    // s A dropout(x): [..., r]; scaled where there is least of it.
    private Tensor Low(Tensor input)
    {
        Tensor low = nn.functional.linear(dropout.Apply(input.to(ScalarType.Float32), stream), A);
        return Target.Scale == 1 ? low : low * Target.Scale;
    }
}
