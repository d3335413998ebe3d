// Gates from managed values, and gradients back.
using LlmShearing.Model;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Model;

public class LlamaGatesTests
{
    private static readonly LlamaShape Shape = TinyLlama.Config([new(4, 2, 24), new(2, 2, 12), new(0, 0, 8)]).Shape;

    [Fact]
    public void FromValues_EveryAxis_TensorsHoldTheValuesByLayer()
    {
        var values = Values(Shape);
        using LlamaGates gates = LlamaGates.FromValues(Shape, values);
        Assert.Equal(PruningAxes.Width | PruningAxes.Attention | PruningAxes.Mlp | PruningAxes.Layers, gates.Axes);
        Assert.Equal(values[PruningAxes.Hidden].ToArray(), gates.Hidden!.data<float>().ToArray());
        Assert.Equal(values[PruningAxes.Mlp].ToArray(), gates.Mlp!.data<float>().ToArray());
        Assert.Equal([4, 2, 0], gates.QueryHeads!.Select(g => g.shape[0]));
        Assert.Equal(values[PruningAxes.Intermediate].ToArray(), gates.Intermediate!.SelectMany(g => g.data<float>().ToArray()));
        Assert.True(gates.GateEmbedding);
        Assert.DoesNotContain(gates.Tensors(), g => g.requires_grad);
    }

    [Fact]
    public void FromValues_AbsentAxes_HaveNoGate()
    {
        using LlamaGates gates = LlamaGates.FromValues(Shape, new Dictionary<PruningAxes, ReadOnlyMemory<float>> { [PruningAxes.Layers] = new float[] { 1, 0.5f, 0 } }, gateEmbedding: false);
        Assert.Equal(PruningAxes.Layers, gates.Axes);
        Assert.Null(gates.Hidden);
        Assert.False(gates.GateEmbedding);
    }

    [Theory]
    [InlineData(PruningAxes.Hidden, 15)]
    [InlineData(PruningAxes.Intermediate, 45)]
    [InlineData(PruningAxes.Width, 16)]
    public void FromValues_WrongNumberOrAxis_IsRefusedByName(PruningAxes axis, int count)
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => LlamaGates.FromValues(Shape, new Dictionary<PruningAxes, ReadOnlyMemory<float>> { [axis] = new float[count] }));
        Assert.Contains(axis.ToString(), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Gradients_AfterBackward_EqualThoseOfEachGate()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config([.. Shape.Layers]));
        using LlamaGates gates = LlamaGates.FromValues(Shape, Values(Shape), requiresGrad: true);
        Assert.All(gates.Gradients().Values, flat => Assert.All(flat.ToArray(), g => Assert.Equal(0, g)));
        using var scope = NewDisposeScope();
        model.forward(TinyLlama.Ids(TinyLlama.Batch(1, 2, 7)), new ForwardOptions { Gates = gates }).square().mean().backward();
        Dictionary<PruningAxes, float[]> gradients = gates.Gradients().ToDictionary(g => g.Key, g => g.Value.ToArray());
        Assert.Equal(gates.Hidden!.grad!.data<float>().ToArray(), gradients[PruningAxes.Hidden]);
        Assert.Equal(gates.Intermediate!.SelectMany(g => g.grad!.data<float>().ToArray()), gradients[PruningAxes.Intermediate]);
        Assert.Equal(6, gradients[PruningAxes.QueryHeads].Length);
        Assert.All(gradients[PruningAxes.QueryHeads], g => Assert.NotEqual(0, g));
        Assert.Equal(0, gradients[PruningAxes.Attention][2]);   // the last block has no attention
        Assert.NotEqual(0, gradients[PruningAxes.Layers][2]);
    }

    private static Dictionary<PruningAxes, ReadOnlyMemory<float>> Values(LlamaShape shape)
    {
        var random = new Random(7);
        ReadOnlyMemory<float> Some(int n) => Enumerable.Range(0, n).Select(_ => 0.1f + random.NextSingle()).ToArray();
        return new()
        {
            [PruningAxes.Hidden] = Some(shape.HiddenSize),
            [PruningAxes.QueryHeads] = Some(shape.Layers.Sum(l => l.QueryHeads)),
            [PruningAxes.KeyValueGroups] = Some(shape.Layers.Sum(l => l.KeyValueHeads)),
            [PruningAxes.Intermediate] = Some(shape.Layers.Sum(l => l.IntermediateSize)),
            [PruningAxes.Attention] = Some(shape.Layers.Length),
            [PruningAxes.Mlp] = Some(shape.Layers.Length),
            [PruningAxes.Layers] = Some(shape.Layers.Length),
        };
    }
}
