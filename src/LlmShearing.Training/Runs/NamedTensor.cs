using static TorchSharp.torch;

namespace LlmShearing.Training.Runs;

/// <summary>A tensor of a training checkpoint: float32, float16 or bfloat16, contiguous.</summary>
/// <param name="Name">Unique in its file.</param>
/// <param name="Value">The tensor; belongs to whoever made the list.</param>
internal readonly record struct NamedTensor(string Name, Tensor Value)
{
    public static IReadOnlyList<NamedTensor> List(IReadOnlyDictionary<string, Tensor> tensors) => [.. tensors.Select(t => new NamedTensor(t.Key, t.Value))];
}
