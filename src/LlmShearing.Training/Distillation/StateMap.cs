// The trained linear map of CoFi (arXiv 2204.00408, section 3.2; layer_transformation in its code) between hidden states of student and teacher.
using LlmShearing.Devices;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Training.Distillation;

/// <summary>
/// A linear map from hidden states of the student to those of the teacher, shared by all pairs of blocks and trained with the student: distances are taken behind it. The student need not
/// represent things as the teacher does, nor be as wide. Not part of the exported model. Disposing it frees its parameters.
/// </summary>
public sealed class StateMap : IDisposable
{
    private readonly Parameter _weight;   // [teacher's H, student's H]
    private readonly Parameter _bias;     // [teacher's H]

    /// <summary>A map that begins as the identity.</summary>
    /// <param name="hiddenSize">Hidden size of student and teacher.</param>
    /// <param name="device">Device of the map, best that of the student; default CPU.</param>
    /// <exception cref="ArgumentException">Below 1.</exception>
    public StateMap(int hiddenSize, Device? device = null)
        : this(hiddenSize, IndexSet.All(Math.Max(hiddenSize, 0)), device)
    {
    }

    /// <summary>A map that begins by putting every channel of a narrower student where it was in the teacher; the teacher's other channels begin at 0.</summary>
    /// <param name="teacherHiddenSize">Hidden size of the teacher.</param>
    /// <param name="channels">Channels of the teacher that the student kept, such as <see cref="PruningPlan.Hidden"/>.</param>
    /// <param name="device">Device of the map, best that of the student; default CPU.</param>
    /// <exception cref="ArgumentException">There is no channel, or one is not the teacher's.</exception>
    public StateMap(int teacherHiddenSize, IndexSet channels, Device? device = null)
    {
        ArgumentNullException.ThrowIfNull(channels);
        if (channels.Count == 0 || channels.Indices[^1] >= teacherHiddenSize)
            throw new ArgumentException($"Expected channels of 0 to {teacherHiddenSize - 1}, found '{channels}'.", nameof(channels));
        TorchRuntime.EnsureLoaded();
        using IDisposable constant = no_grad();
        float[] ones = new float[(long)teacherHiddenSize * channels.Count];
        for (int i = 0; i < channels.Count; i++)
            ones[((long)channels.Indices[i] * channels.Count) + i] = 1;
        _weight = Weights.Own(tensor(ones, teacherHiddenSize, channels.Count, device: device ?? CPU), requiresGrad: true);   // [teacher's H, student's H]
        _bias = Weights.Own(zeros(teacherHiddenSize, dtype: ScalarType.Float32, device: device ?? CPU), requiresGrad: true);
        Parameters = [new(TrainableWeights.ObjectivePrefix + "state_map.weight", _weight), new(TrainableWeights.ObjectivePrefix + "state_map.bias", _bias)];
    }

    /// <summary>Weight [teacher's hidden size, student's hidden size] and bias [teacher's hidden size], float32.</summary>
    public IReadOnlyList<TrainableParameter> Parameters { get; }

    /// <summary>Hidden size of the student.</summary>
    public int StudentHiddenSize => (int)_weight.shape[1];

    /// <summary>Hidden size of the teacher.</summary>
    public int TeacherHiddenSize => (int)_weight.shape[0];

    /// <inheritdoc/>
    public void Dispose()
    {
        _weight.Dispose();
        _bias.Dispose();
    }

    // [n, student's H] -> [n, teacher's H], float32, no graph
    internal Tensor Apply(Tensor states) => OnMap(states).mm(_weight.detach().t()).add_(_bias.detach());

    // Adds the gradients of the map, given that of its output [n, teacher's H], and returns that of its input [n, student's H].
    internal Tensor Backward(Tensor states, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        Gradients.AddProduct(_weight, gradient, OnMap(states));
        Tensor bias = gradient.sum(dim: 0);                                                              // [teacher's H]
        if (_bias.grad is { } sum)
            sum.add_(bias);
        else
            _bias.grad = bias;
        return gradient.mm(_weight.detach()).MoveToOuterDisposeScope();
    }

    private Tensor OnMap(Tensor states) => states.to(_weight.device).to(ScalarType.Float32);
}
