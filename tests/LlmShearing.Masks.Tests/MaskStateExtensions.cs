// Reads and writes the parameters of a mask state, as a training checkpoint would.
using System.Runtime.InteropServices;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Masks.Tests;

internal static class MaskStateExtensions
{
    public static Span<float> Logits(this MaskState state, PruningAxes axis) => Floats(state.Find($"masks.{MaskFamily.NameOf(axis)}.logits"));

    public static float[] LogitGradients(this MaskState state, PruningAxes axis) => Gradient(state.Find($"masks.{MaskFamily.NameOf(axis)}.logits"));

    public static (Parameter Linear, Parameter Quadratic) Pair(this MaskState state, string name)
    {
        string prefix = state.Layout.Target is null ? "masks" : "masks." + name;
        return (state.Find(prefix + ".lambda1"), state.Find(prefix + ".lambda2"));
    }

    public static void SetLogits(this MaskState state, PruningAxes axis, ReadOnlySpan<float> values) => values.CopyTo(state.Logits(axis));

    public static void SetMultipliers(this MaskState state, string name, float linear, float quadratic)
    {
        (Parameter first, Parameter second) = state.Pair(name);
        Floats(first)[0] = linear;
        Floats(second)[0] = quadratic;
    }

    public static float Value(Parameter parameter) => Floats(parameter)[0];

    public static float[] Gradient(Parameter parameter)
    {
        using Tensor gradient = parameter.grad ?? throw new InvalidOperationException("There is no gradient.");
        return Floats(gradient).ToArray();
    }

    private static Parameter Find(this MaskState state, string name) => state.Logits.Concat(state.Multipliers).Single(p => p.Name == name).Value;

    private static Span<float> Floats(Tensor tensor) => MemoryMarshal.Cast<byte, float>(tensor.bytes);
}

/// <summary>Uniform numbers that a test gives.</summary>
internal sealed class GivenNoise(Func<PruningAxes, float[]> numbers) : IMaskNoise
{
    public void Fill(MaskFamily family, Span<double> uniforms)
    {
        float[] given = numbers(family.Axis);
        for (int i = 0; i < uniforms.Length; i++)
            uniforms[i] = given[i];
    }
}
