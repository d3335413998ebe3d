// The update of one projection: s · B A dropout(x), in float32 whatever the base's type.
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
        Tensor x = dropout.Apply(input.to(ScalarType.Float32), stream);                    // [..., in]
        Tensor low = nn.functional.linear(x, A);                                          // [..., r]
        if (Target.Scale != 1)
            low = low * Target.Scale;                                                     // scaled where there is least of it
        return nn.functional.linear(low, B).MoveToOuterDisposeScope();                    // [..., out]
    }
}
