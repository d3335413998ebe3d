// The trainable part of learned masks: logits and multipliers as parameters, and the gradients that are added to them by hand.
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using LlmShearing.Devices;
using LlmShearing.Planning;
using LlmShearing.Training.Optimization;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Masks;

/// <summary>
/// Logits and Lagrange multipliers of one run, float32 on the CPU whatever the model's dtype and device. Everything that training must remember about masks is in
/// these parameters. Used by one thread at a time.
/// A micro-batch calls <see cref="Sample"/>, runs the model with the sampled multipliers, and calls <see cref="AddGradients"/>.
/// </summary>
public sealed class MaskState : IDisposable
{
    private readonly ImmutableSortedDictionary<PruningAxes, Parameter> _logits;
    private readonly ImmutableArray<(Parameter Linear, Parameter Quadratic)> _multipliers;

    /// <summary>Creates logits by the initialization, and multipliers of 0.</summary>
    /// <param name="constraint">The constraint that the masks are to meet.</param>
    /// <param name="initialization">Where logits start; null = LLM-Shearing's.</param>
    /// <exception cref="MaskException">The initialization is not possible.</exception>
    public MaskState(SparsityConstraint constraint, MaskInitialization? initialization = null)
    {
        ArgumentNullException.ThrowIfNull(constraint);
        initialization ??= new MaskInitialization();
        Constraint = constraint;
        var first = Layout.Families.ToDictionary(f => f.Axis, initialization.Logits);   // before any tensor exists, as it may throw
        TorchRuntime.EnsureLoaded();
        _logits = Layout.Families.ToImmutableSortedDictionary(f => f.Axis, f => Own(tensor(first[f.Axis], f.Rows, f.Size, device: CPU)));
        _multipliers = [.. constraint.Names.Select(_ => (Own(zeros(1, dtype: ScalarType.Float32, device: CPU)), Own(zeros(1, dtype: ScalarType.Float32, device: CPU))))];
        Logits = [.. Layout.Families.Select(f => new TrainableParameter($"masks.{f.Name}.logits", _logits[f.Axis]))];
        string Prefix(string name) => Layout.Target is null ? "masks" : $"masks.{name}";
        Multipliers =
        [
            .. constraint.Names.Zip(_multipliers).SelectMany(m => new[]
            {
                new TrainableParameter($"{Prefix(m.First)}.lambda1", m.Second.Linear),
                new TrainableParameter($"{Prefix(m.First)}.lambda2", m.Second.Quadratic),
            }),
        ];
    }

    /// <summary>The constraint.</summary>
    public SparsityConstraint Constraint { get; }

    /// <summary>The families.</summary>
    public MaskLayout Layout => Constraint.Layout;

    /// <summary><c>masks.FAMILY.logits</c> [rows, size], in the order of the layout. To be minimised over; LLM-Shearing uses a learning rate of 1.</summary>
    public IReadOnlyList<TrainableParameter> Logits { get; }

    /// <summary><c>masks.FAMILY.lambda1</c> and <c>lambda2</c> [1], in the order of the layout; under a budget <c>masks.lambda1</c> and <c>masks.lambda2</c>. To be maximised over.</summary>
    public IReadOnlyList<TrainableParameter> Multipliers { get; }

    /// <summary>Brings the logits back into [-ln 100, ln 100]. Every other method does so first; gradients are not touched, so logits at a bound can leave it.</summary>
    /// <exception cref="MaskException">A logit is NaN.</exception>
    public void Clamp()
    {
        foreach (MaskFamily family in Layout.Families)
        {
            Span<float> logits = Data(_logits[family.Axis]);
            for (int i = 0; i < logits.Length; i++)
            {
                if (float.IsNaN(logits[i]))
                    throw new MaskException($"Logit {i} of the {family.Name} masks is NaN. The run has diverged: go back to a checkpoint and lower the learning rate of the masks.");
                logits[i] = (float)HardConcrete.Clamp(logits[i]);
            }
        }
    }

    /// <summary>Draws masks for one micro-batch.</summary>
    /// <param name="noise">Uniform numbers, usually a <see cref="SeededMaskNoise"/> of the micro-batch.</param>
    /// <returns>Multipliers and what carries gradients back.</returns>
    /// <exception cref="MaskException">A logit is NaN, or a uniform number is not inside (0, 1).</exception>
    public MaskSample Sample(IMaskNoise noise)
    {
        ArgumentNullException.ThrowIfNull(noise);
        Clamp();
        return MaskSample.Draw(Layout, f => Data(_logits[f.Axis]).ToArray(), noise);
    }

    /// <summary>
    /// The masks without randomness: in every row the smallest become exactly 0, and the others keep sigmoid(0.8 a / T), which is below 1. Of equal units the lower
    /// index stays; of equal blocks and sub-blocks the lower index goes, as in <see cref="TargetedWidthStrategy"/>.
    /// </summary>
    /// <param name="exact">
    /// True (default): each row keeps its target size. False, or when there is no target: the number of zeros is the expected one, rounded half to even, which tells
    /// what the masks say before they have converged.
    /// </param>
    /// <returns>Multipliers.</returns>
    /// <exception cref="MaskException">A logit is NaN.</exception>
    public MaskValues Deterministic(bool exact = true)
    {
        Clamp();
        var values = new Dictionary<PruningAxes, float[]>();
        foreach (MaskFamily family in Layout.Families)
        {
            ReadOnlySpan<float> logits = Data(_logits[family.Axis]);
            float[] z = new float[family.Count];
            for (int start = 0; start < z.Length; start += family.Size)
            {
                ReadOnlySpan<float> row = logits.Slice(start, family.Size);
                Survivors.Fill(row, exact && family.TargetSize is { } kept ? family.Size - kept : Survivors.ExpectedZeros(row), z.AsSpan(start, family.Size), lowerStays: family.Axis < PruningAxes.Attention);
            }

            values.Add(family.Axis, z);
        }

        return new MaskValues(Layout.Source, values);
    }

    /// <summary>P(z > 0) of every entry by axis, flat.</summary>
    /// <returns>Scores in (0, 1).</returns>
    /// <exception cref="MaskException">A logit is NaN.</exception>
    public IReadOnlyDictionary<PruningAxes, double[]> Scores()
    {
        Clamp();
        return Layout.Families.ToDictionary(f => f.Axis, f =>
        {
            ReadOnlySpan<float> logits = Data(_logits[f.Axis]);
            double[] scores = new double[logits.Length];
            for (int i = 0; i < scores.Length; i++)
                scores[i] = HardConcrete.Score(logits[i]).Value;
            return scores;
        });
    }

    /// <summary>The constraint in a step; gradients stay as they are.</summary>
    /// <param name="step">Optimizer steps completed, 0 or more.</param>
    /// <returns>The Lagrangian and values to log.</returns>
    /// <exception cref="MaskException">A logit is NaN.</exception>
    public ConstraintValue Evaluate(long step) => Constraint.Evaluate(Scores(), CurrentMultipliers(), step);

    /// <summary>
    /// Adds the gradients of a micro-batch to <c>.grad</c>: those of the task, carried from the multipliers to the logits, and those of the Lagrangian times
    /// <paramref name="scale"/>, for logits and multipliers.
    /// </summary>
    /// <param name="sample">What the micro-batch ran with.</param>
    /// <param name="maskGradients">d task loss / dz by axis, flat in the order of the entries; taken as they are, so already weighted. An axis that is absent got none.</param>
    /// <param name="step">Optimizer steps completed, 0 or more; the same for all micro-batches of a step.</param>
    /// <param name="scale">Weight of the micro-batch in the step.</param>
    /// <returns>The Lagrangian, not scaled, and values to log.</returns>
    /// <exception cref="MaskException">
    /// The sample is of other masks, a gradient has another length than its family, its axis has no mask, or the weight is not a finite number; no gradient is changed then.
    /// </exception>
    public ConstraintValue AddGradients(MaskSample sample, IReadOnlyDictionary<PruningAxes, ReadOnlyMemory<float>> maskGradients, long step, double scale)
    {
        ArgumentNullException.ThrowIfNull(sample);
        ArgumentNullException.ThrowIfNull(maskGradients);
        if (!ReferenceEquals(sample.Layout, Layout))
            throw new MaskException("The sample was drawn from other masks. Give the one that this state sampled for the micro-batch.");
        if (!double.IsFinite(scale))
            throw new MaskException($"The weight of the micro-batch is {scale}; it must be a finite number.");
        foreach ((PruningAxes axis, ReadOnlyMemory<float> gradient) in maskGradients)
        {
            MaskFamily family = Layout[axis] ?? throw new MaskException($"There are gradients of {axis}, which has no mask. Masks: {string.Join(", ", Layout.Families.Select(f => f.Name))}.");
            if (gradient.Length != family.Count)
                throw new MaskException($"There are {gradient.Length} gradients of the {family.Name} masks, which have {family.Count} entries.");
        }

        IReadOnlyDictionary<PruningAxes, double[]> scores = Scores();
        ConstraintValue value = Constraint.Evaluate(scores, CurrentMultipliers(), step);
        using var scope = NewDisposeScope();
        foreach (MaskFamily family in Layout.Families)
        {
            Span<float> sum = Gradient(_logits[family.Axis]);
            ReadOnlySpan<float> task = maskGradients.GetValueOrDefault(family.Axis).Span, derivative = sample.Derivative(family.Axis).Span;
            ReadOnlySpan<double> score = scores[family.Axis], lagrangian = value.ScoreGradients[family.Axis];
            for (int i = 0; i < sum.Length; i++)
            {
                // Logits are within their bounds, where d score / da = score (1 - score).
                double d = scale * lagrangian[i] * score[i] * (1 - score[i]);
                sum[i] += (float)(task.IsEmpty ? d : d + ((double)task[i] * derivative[i]));
            }
        }

        foreach (((Parameter linear, Parameter quadratic), MultiplierPair gradient) in _multipliers.Zip(value.MultiplierGradients))
        {
            Gradient(linear)[0] += (float)(scale * gradient.Linear);
            Gradient(quadratic)[0] += (float)(scale * gradient.Quadratic);
        }

        return value;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (TrainableParameter parameter in Logits.Concat(Multipliers))
            parameter.Value.Dispose();
    }

    private MultiplierPair[] CurrentMultipliers() => [.. _multipliers.Select(m => new MultiplierPair(Data(m.Linear)[0], Data(m.Quadratic)[0]))];

    private static Parameter Own(Tensor values)
    {
        var parameter = new Parameter(values, requires_grad: true);
        parameter.DetachFromDisposeScope();
        return parameter;
    }

    private static Span<float> Data(Tensor values) => HostMemory.Floats(values);

    // Made inside the caller's dispose scope, which frees the handle but not the gradient itself.
    private static Span<float> Gradient(Parameter parameter)
    {
        Tensor? gradient = parameter.grad;
        if (gradient is null)
            parameter.grad = gradient = zeros(parameter.shape, dtype: ScalarType.Float32, device: parameter.device);
        return Data(gradient);
    }
}
