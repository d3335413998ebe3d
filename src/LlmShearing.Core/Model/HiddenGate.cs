using LlmShearing.Devices;
using static TorchSharp.torch;

namespace LlmShearing.Model;

/// <summary>The hidden gate of one pass with what the norms need of it.</summary>
internal sealed class HiddenGate
{
    public HiddenGate(Tensor value, bool inputIsMasked)
    {
        Value = value;
        InputIsMasked = inputIsMasked;
        Keep = value.ne(0).to(ScalarType.Float32);
        KeptCount = HostValues.Number(Keep.sum());
        if (KeptCount == 0 && value.requires_grad)
            KeptCount = 1;   // a sampled mask may be all zero in a tiny model: everything is zero then, and nothing is divided by zero
        if (KeptCount == 0)
            throw new ArgumentException("The hidden gate is zero in every channel. At least one residual channel must stay.");
    }

    /// <summary>Multipliers [H], float32 or float64.</summary>
    public Tensor Value { get; }

    /// <summary>1 where the multiplier is not zero [H].</summary>
    public Tensor Keep { get; }

    /// <summary>Number of kept channels.</summary>
    public double KeptCount { get; }

    /// <summary>Whether removed channels of the residual stream are exactly zero (the embedding was gated too).</summary>
    public bool InputIsMasked { get; }
}
