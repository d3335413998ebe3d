// A linear map of a block: y = x Wᵀ (+ b), with optional gates on its input and output channels and one tap.
using LlmShearing.Devices;
using LlmShearing.Kernels;
using LlmShearing.Support;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Model;

/// <summary>A linear projection with weight [out, in] and an optional bias [out].</summary>
public sealed class Projection : nn.Module<Tensor, Tensor>
{
    /// <summary>Weight [out, in].</summary>
    public readonly Parameter weight;

    /// <summary>Bias [out], or null.</summary>
    public readonly Parameter? bias;

    private IProjectionTap? _tap;

    internal Projection(long outFeatures, long inFeatures, bool hasBias, ScalarType dtype, Device device)
        : base(nameof(Projection))
    {
        weight = Weights.Empty(dtype, device, outFeatures, inFeatures);
        bias = hasBias ? Weights.Empty(dtype, device, outFeatures) : null;
        OutFeatures = outFeatures;
        InFeatures = inFeatures;
        RegisterComponents();
    }

    /// <summary>A projection with the weights of another, but a tap of its own.</summary>
    internal Projection(Projection shared)
        : base(nameof(Projection))
    {
        weight = Weights.Share(shared.weight);
        bias = shared.bias is null ? null : Weights.Share(shared.bias);
        OutFeatures = shared.OutFeatures;
        InFeatures = shared.InFeatures;
        RegisterComponents();
    }

    /// <summary>Length of the input.</summary>
    public long InFeatures { get; }

    /// <summary>Length of the output.</summary>
    public long OutFeatures { get; }

    /// <summary>Attaches a tap until the result is disposed.</summary>
    /// <param name="tap">The tap.</param>
    /// <returns>Disposing it detaches the tap.</returns>
    /// <exception cref="InvalidOperationException">Another tap is attached.</exception>
    public IDisposable Attach(IProjectionTap tap)
    {
        ArgumentNullException.ThrowIfNull(tap);
        Weights.EnsureAlive(weight, nameof(Projection));
        if (_tap is not null)
            throw new InvalidOperationException("This projection already has a tap. Dispose the other attachment first.");
        _tap = tap;
        return new Undo(() => _tap = null);
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input) => Gated(input, null, null);

    /// <summary>x Wᵀ + b, without gates and tap.</summary>
    /// <param name="input">[..., in].</param>
    /// <returns>[..., out] in the caller's dispose scope.</returns>
    /// <exception cref="ArgumentException">The input has another number of channels.</exception>
    public Tensor Linear(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        EnsureChannels(input);
        return LinearProduct.Forward(input, weight, bias);
    }

    /// <summary>y = ((x * inputGate) Wᵀ + b) * outputGate.</summary>
    /// <param name="input">[..., in].</param>
    /// <param name="inputGate">[in] or null.</param>
    /// <param name="outputGate">[out] or null.</param>
    /// <returns>[..., out].</returns>
    internal Tensor Gated(Tensor input, Tensor? inputGate, Tensor? outputGate)
    {
        EnsureChannels(input);

        // With many tokens it is cheaper to scale the weight than the activations; the result and its gradients are the same.
        if (_tap is null && (inputGate is not null || outputGate is not null) && input.NumberOfElements / InFeatures > OutFeatures)
        {
            Tensor w = inputGate is null ? weight : weight * inputGate.to(weight.dtype);                      // [out, in] * [in]
            Tensor? b = bias;
            if (outputGate is not null)
            {
                Tensor gate = outputGate.to(weight.dtype);
                Tensor column = gate.unsqueeze(1);                                                            // [out, 1]
                if (inputGate is not null && !is_grad_enabled())
                    w.mul_(column);
                else
                    w = w * column;
                b = bias is null ? null : bias * gate;
            }

            return LinearProduct.Forward(input, w, b);
        }

        Tensor x = inputGate is null ? input : input * inputGate.to(input.dtype);                             // [..., in]
        Tensor y = _tap is null ? LinearProduct.Forward(x, weight, bias) : _tap.Project(this, x);              // [..., out]
        return outputGate is null ? y : y * outputGate.to(y.dtype);
    }

    private void EnsureChannels(Tensor input)
    {
        Weights.EnsureAlive(weight, nameof(Projection));
        if (input.shape[^1] != InFeatures)
            throw new ArgumentException($"The projection takes {InFeatures} channels, but the input has {input.shape[^1]}.", nameof(input));
    }
}
