using LlmShearing.Testing;

namespace LlmShearing.Masks.Tests.Folding;

/// <summary>Tensors are freed, also when a fold is cancelled midway.</summary>
[Collection("tensor count")]
public class MaskFoldLeakTests
{
    [Fact]
    public void Apply_Repeated_FreesItsTensors()
    {
        using LlamaModel model = TinyLlama.Create(TinyMasks.Config(4, 2, false, "all"));
        MaskValues masks = TinyMasks.Random(model.Config.Shape, PruningAxes.Width, 1);
        int parameters = model.NamedWeights().Count();
        LeakProbe.AssertNoGrowth(() => MaskFold.Apply(model, masks).Dispose(), parametersPerRun: parameters);
    }

    [Theory]
    [InlineData("cut", 2)]
    [InlineData("fold", 2)]
    public void Apply_Cancelled_FreesItsTensors(string stage, long blocks)
    {
        using LlamaModel model = TinyLlama.Create(TinyMasks.Config(4, 2, false, "all"));
        MaskValues masks = TinyMasks.Random(model.Config.Shape, PruningAxes.Width, 1);
        LeakProbe.AssertNoGrowth(
            () =>
            {
                using var source = new CancellationTokenSource();
                var progress = new Watch(p =>
                {
                    if (p.Stage == stage && p.Completed == blocks)
                        source.Cancel();
                });
                Assert.ThrowsAny<OperationCanceledException>(() => MaskFold.Apply(model, masks, null, progress, source.Token));
            },
            parametersPerRun: model.NamedWeights().Count());
    }

    [Fact]
    public void ToGates_Disposed_FreesItsTensors()
    {
        MaskValues masks = TinyMasks.Random(TinyLlama.Config().Shape, TinyMasks.All, 1);
        LeakProbe.AssertNoGrowth(() =>
        {
            using LlamaGates gates = masks.ToGates(requiresGrad: true);
            using (TorchSharp.torch.NewDisposeScope())
                gates.Hidden!.sum().backward();
            _ = gates.Gradients();
        });
    }

    private sealed class Watch(Action<ShearingProgress> report) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value) => report(value);
    }
}
