using LlmShearing.Training.Optimization;
using static TorchSharp.torch;

namespace LlmShearing.Bench;

/// <summary>Reads and writes parameters, gradients and moments once: the cheapest thing with the memory traffic of an optimizer.</summary>
internal sealed class MemoryPass(AdamWOptimizer adam, LlamaModel model)
{
    public void Run()
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach ((_, var weight) in model.NamedWeights())
        {
            weight.mul_(1f);
            weight.grad!.mul_(1f);
        }

        foreach (Tensor state in adam.State.Values)
            state.mul_(1f);
    }
}
