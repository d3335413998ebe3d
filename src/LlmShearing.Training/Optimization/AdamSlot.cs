using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Training.Optimization;

/// <summary>One parameter under Adam with its state.</summary>
internal sealed class AdamSlot
{
    private readonly Tensor? _master;

    /// <summary>Makes the state; its tensors belong to no dispose scope.</summary>
    public AdamSlot(TrainableParameter parameter, ParameterGroup group, int groupIndex)
    {
        (Name, Parameter, Group, GroupIndex) = (parameter.Name, parameter.Value, group, groupIndex);
        First = Zeros();
        Second = Zeros();
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        if (Parameter.dtype != ScalarType.Float32)
            _master = Parameter.detach().to(ScalarType.Float32).DetachFromDisposeScope();
    }

    public string Name { get; }

    public Parameter Parameter { get; }

    public ParameterGroup Group { get; }

    public int GroupIndex { get; }

    /// <summary>Mean of gradients.</summary>
    public Tensor First { get; }

    /// <summary>Mean of squared gradients.</summary>
    public Tensor Second { get; }

    /// <summary>Updates so far.</summary>
    public long Steps { get; private set; }

    /// <summary>What is updated, float32: the parameter itself, or the float32 copy of a 16-bit one.</summary>
    public Tensor Target => _master ?? Parameter;

    public IEnumerable<(string Name, Tensor Value)> State()
    {
        yield return ("exp_avg." + Name, First);
        yield return ("exp_avg_sq." + Name, Second);
        if (_master is not null)
            yield return ("master." + Name, _master);
    }

    /// <summary>The gradient, float32 and contiguous, in the caller's dispose scope; null when there is none.</summary>
    public Tensor? Gradient()
    {
        if (Parameter.grad is not { } gradient)
            return null;
        if (!gradient.shape.SequenceEqual(Parameter.shape) || gradient.device.type != Parameter.device.type)
            throw new TrainingException($"The gradient of {Name} is [{string.Join(", ", gradient.shape)}] on {gradient.device}, the parameter [{string.Join(", ", Parameter.shape)}] on {Parameter.device}.");
        return gradient.to(ScalarType.Float32).contiguous();
    }

    /// <summary>The numbers of the next update.</summary>
    public AdamUpdate Next(double rate, double gradientScale)
    {
        double t = ++Steps;
        double decay = Group.Decay switch
        {
            DecayKind.Decoupled => rate * Group.WeightDecay,
            DecayKind.DecoupledFromRate => Group.WeightDecay * rate / Group.LearningRate,
            _ => 0,
        };
        return new AdamUpdate(
            (float)(Group.Maximize ? -gradientScale : gradientScale),
            (float)(1 - decay),
            Group.Decay == DecayKind.L2 ? (float)Group.WeightDecay : 0,
            Group.Beta1,
            Group.Beta2,
            (float)(rate / (1 - Math.Pow(Group.Beta1, t))),
            (float)(1 / Math.Sqrt(1 - Math.Pow(Group.Beta2, t))),
            (float)Group.Epsilon);
    }

    /// <summary>Rounds the float32 copy into a 16-bit parameter.</summary>
    public void Publish()
    {
        if (_master is not null)
            Parameter.copy_(_master);
    }

    /// <summary>Continues after a number of updates with the state as it is now.</summary>
    public void Restore(long steps)
    {
        Steps = steps;
        Publish();
    }

    private Tensor Zeros() => zeros(Parameter.shape, dtype: ScalarType.Float32, device: Parameter.device).DetachFromDisposeScope();
}
