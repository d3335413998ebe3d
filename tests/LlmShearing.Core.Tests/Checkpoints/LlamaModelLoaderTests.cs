using LlmShearing.Checkpoints;
using LlmShearing.Evaluation;
using LlmShearing.Execution;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Checkpoints;

[Collection("tensor count")]
public sealed class LlamaModelLoaderTests
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Load_WrittenModel_HasTheSameBytes(bool tied, bool biases)
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create(TinyLlama.Config(tied: tied, biases: biases), 2);
        TinyFolder.Write(made, folder["m"]);
        using LlamaModel loaded = LlamaModel.Load(folder["m"]);
        Assert.Equal("m", loaded.Name);
        foreach (((string name, var expected), (string other, var actual)) in made.NamedWeights().Zip(loaded.NamedWeights()))
        {
            Assert.Equal(name, other);
            Assert.True(expected.bytes.SequenceEqual(actual.bytes), name);
            Assert.False(actual.requires_grad);
        }
    }

    [Theory]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    public void Load_To16Bit_RoundsAsTorchDoes(ScalarType dtype)
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        using LlamaModel loaded = LlamaModel.Load(folder["m"], dtype);
        using var scope = NewDisposeScope();
        foreach (((string name, var expected), (_, var actual)) in made.NamedWeights().Zip(loaded.NamedWeights()))
            Assert.True(expected.to(dtype).bytes.SequenceEqual(actual.bytes), name);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void Load_ValidateFinite_NamesTheTensor(float value)
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        using (no_grad())
            made.layers[1].mlp!.up_proj.weight.view(-1).narrow(0, 37, 1).fill_(value);
        TinyFolder.Write(made, folder["m"]);
        using LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(folder["m"]);
        foreach (ScalarType dtype in new[] { ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float16 })
        {
            var e = Assert.Throws<CheckpointException>(() => LlamaModelLoader.Load(checkpoint, new LlamaLoadOptions { ValidateFinite = true, Dtype = dtype }));
            Assert.StartsWith("'model.layers.1.mlp.up_proj.weight'", e.Message, StringComparison.Ordinal);
            Assert.Contains("element 37.", e.Message, StringComparison.Ordinal);
        }

        using LlamaModel loaded = LlamaModelLoader.Load(checkpoint);
    }

    [Fact]
    public void Load_OtherTypes_AreRefused()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        Assert.Throws<ArgumentException>(() => LlamaModel.Load(folder["m"], ScalarType.Float64));
        Assert.Throws<ArgumentException>(() => StreamedLlama.Open(folder["m"], ScalarType.Int8));
    }

    [Fact]
    public void Load_Repeated_LeavesNoTensors()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        LeakProbe.AssertNoGrowth(() => LlamaModel.Load(folder["m"]).Dispose(), parametersPerRun: made.NamedWeights().Count());
    }

    [Fact]
    public void Load_Cancelled_LeavesNoTensors()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        LeakProbe.AssertNoGrowth(
            () =>
            {
                using var stop = new CancellationTokenSource();
                Assert.ThrowsAny<OperationCanceledException>(() => LlamaModel.Load(folder["m"], progress: new Stopper(stop), cancellationToken: stop.Token));
            },
            parametersPerRun: made.NamedWeights().Count());
    }

    [Fact]
    public void Load_Progress_EndsAtAllBytes()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        var seen = new Last();
        using LlamaModel loaded = LlamaModel.Load(folder["m"], progress: seen);
        Assert.Equal(made.Config.Shape.ParameterCount * 4, seen.Value.Total);
        Assert.Equal(seen.Value.Total, seen.Value.Completed);
    }

    [Theory]
    [InlineData(ScalarType.Float32, ScalarType.Float32)]
    [InlineData(ScalarType.Float32, ScalarType.BFloat16)]
    [InlineData(ScalarType.BFloat16, ScalarType.BFloat16)]
    [InlineData(ScalarType.BFloat16, ScalarType.Float32)]
    [InlineData(ScalarType.Float16, ScalarType.BFloat16)]
    public void Save_AnyType_LoadsAsTorchConverts(ScalarType held, ScalarType stored)
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create(TinyLlama.Config(), 4, held);
        made.Save(folder["m"], stored);
        using LlamaModel loaded = LlamaModel.Load(folder["m"], stored);
        Assert.Equal(made.Config.Shape, loaded.Config.Shape);
        using var scope = NewDisposeScope();
        foreach (((string name, var expected), (_, var actual)) in made.NamedWeights().Zip(loaded.NamedWeights()))
            Assert.True(expected.to(ScalarType.Float32).to(stored).bytes.SequenceEqual(actual.bytes), name);
    }

    [Fact]
    public void Save_UnevenModelInShards_GivesTheSamePerplexity()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create(TinyLlama.Config([new(4, 2, 24), new(0, 0, 8), new(3, 2, 0) { GroupSizes = [2, 1] }]));
        made.Save(folder["m"], options: new LlamaCheckpointWriterOptions { MaxShardSize = 4000 });
        Assert.True(Directory.GetFiles(folder["m"], "model-*.safetensors").Length > 1);
        using LlamaModel loaded = LlamaModel.Load(folder["m"]);
        int[][] rows = TinyLlama.Rows(1, 50, 30, 20);
        Assert.Equal(
            new PerplexityEvaluator().Evaluate(made, rows).Perplexity,
            new PerplexityEvaluator().Evaluate(loaded, rows).Perplexity);
    }

    [Fact]
    public void Save_Repeated_LeavesNoTensors()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        LeakProbe.AssertNoGrowth(() => made.Save(folder["m"], ScalarType.BFloat16, new LlamaCheckpointWriterOptions { Overwrite = true }));
    }

    [Fact]
    public void Random_SameSeed_SameBits()
    {
        using LlamaModel a = LlamaModel.Random(TinyLlama.Config(), 3), b = LlamaModel.Random(TinyLlama.Config(), 3), c = LlamaModel.Random(TinyLlama.Config(), 4);
        Assert.True(a.layers[2].mlp!.down_proj.weight.bytes.SequenceEqual(b.layers[2].mlp!.down_proj.weight.bytes));
        Assert.False(a.layers[2].mlp!.down_proj.weight.bytes.SequenceEqual(c.layers[2].mlp!.down_proj.weight.bytes));
        Assert.All(a.norm.weight.data<float>().ToArray(), w => Assert.Equal(1, w));
    }

    private sealed class Stopper(CancellationTokenSource stop) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value) => stop.Cancel();
    }

    private sealed class Last : IProgress<ShearingProgress>
    {
        public ShearingProgress Value { get; private set; }

        public void Report(ShearingProgress value) => Value = value;
    }
}
