using LlmShearing.Evaluation;
using LlmShearing.Execution;
using LlmShearing.Model;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Execution;

[Collection("tensor count")]
public sealed class StreamedLlamaTests
{
    private static readonly int[][] Rows = TinyLlama.Rows(3, 50, 17, 5, 2, 17, 40, 9);

    public static TheoryData<string> Kinds => ["mha", "gqa", "mqa", "tied", "biases", "uneven", "sliding"];

    private static LlamaConfig ConfigOf(string kind) => kind switch
    {
        "mha" => TinyLlama.Config(layers: 4, keyValueHeads: 4),
        "gqa" => TinyLlama.Config(layers: 5),
        "mqa" => TinyLlama.Config(keyValueHeads: 1),
        "tied" => TinyLlama.Config(tied: true),
        "biases" => TinyLlama.Config(biases: true),
        "uneven" => TinyLlama.Config(
        [
            new LayerShape(4, 2, 24), new LayerShape(2, 1, 24), new LayerShape(0, 0, 24), new LayerShape(4, 2, 24),
            new LayerShape(4, 2, 0), new LayerShape(3, 2, 7) { GroupSizes = [2, 1] }, new LayerShape(4, 2, 24),
        ]),
        "sliding" => TinyLlama.Config(layers: 4) with
        {
            ModelType = "qwen2",
            SlidingWindows = [null, null, 4, 4],
            Shape = TinyLlama.Config(layers: 4).Shape with { QueryKeyValueBias = true },
        },
        _ => throw new ArgumentException(kind),
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Evaluate_Streamed_EqualsResident(string kind)
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create(ConfigOf(kind), 7);
        TinyFolder.Write(made, folder["m"]);
        using LlamaModel resident = LlamaModel.Load(folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        Assert.Equal(resident.Config.Shape, streamed.Config.Shape);
        var evaluator = new PerplexityEvaluator(new PerplexityOptions { BatchTokens = 20, StateBytes = 4000 });   // several passes over the blocks
        double[] one = [.. evaluator.Evaluate(resident, Rows, PerplexityProtocol.Rows).PerSequence.Select(s => s.MeanNll)];
        double[] other = [.. evaluator.Evaluate(streamed, Rows, PerplexityProtocol.Rows).PerSequence.Select(s => s.MeanNll)];
        for (int r = 0; r < Rows.Length; r++)
            Assert.Equal(one[r], other[r], 1e-6);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Evaluate_StreamedWithGates_EqualsResident(string kind)
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create(ConfigOf(kind), 8);
        TinyFolder.Write(made, folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        using LlamaGates gates = LlamaGates.Ones(made.Config.Shape, PruningAxes.Hidden | PruningAxes.QueryHeads | PruningAxes.Intermediate | PruningAxes.Layers);
        gates.Hidden!.narrow(0, 3, 4).zero_();
        gates.QueryHeads![1].narrow(0, 0, 1).zero_();
        gates.Intermediate![0].narrow(0, 0, 10).zero_();
        gates.Layers!.narrow(0, 2, 1).zero_();
        double one = new PerplexityEvaluator().Evaluate(made, Rows, PerplexityProtocol.Rows, gates).MeanNll;
        double other = new PerplexityEvaluator().Evaluate(streamed, Rows, PerplexityProtocol.Rows, gates).MeanNll;
        Assert.Equal(one, other, 1e-6);
    }

    [Fact]
    public void Open_BFloat16_EqualsLoadingInBFloat16()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        using LlamaModel resident = LlamaModel.Load(folder["m"], ScalarType.BFloat16);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"], ScalarType.BFloat16);
        Assert.Equal(
            new PerplexityEvaluator().Evaluate(resident, Rows, PerplexityProtocol.Rows).MeanNll,
            new PerplexityEvaluator().Evaluate(streamed, Rows, PerplexityProtocol.Rows).MeanNll,
            1e-6);
    }

    [Fact]
    public void Open_Float16_HasTheBytesOfLoadingInFloat16()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        using LlamaModel resident = LlamaModel.Load(folder["m"], ScalarType.Float16);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"], ScalarType.Float16);
        using BlockLease lease = streamed.AcquireBlock(1);
        CheckBlock(resident.layers[1], lease.Block);
    }

    [Fact]
    public void AcquireBlock_InAnyOrder_GivesTheRightWeights()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create(ConfigOf("uneven"));
        TinyFolder.Write(made, folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        foreach (int layer in new[] { 3, 0, 1, 2, 6, 6, 5, 0, 3, 4 })
        {
            using BlockLease lease = streamed.AcquireBlock(layer);
            Assert.Equal(layer, lease.Block.Layer);
            CheckBlock(made.layers[layer], lease.Block);
        }
    }

    [Fact]
    public void AcquireBlock_SeveralAtOnce_DoNotShareMemory()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        using BlockLease first = streamed.AcquireBlock(0);
        using BlockLease second = streamed.AcquireBlock(1);
        using BlockLease third = streamed.AcquireBlock(2);
        CheckBlock(made.layers[0], first.Block);
        CheckBlock(made.layers[1], second.Block);
        CheckBlock(made.layers[2], third.Block);
    }

    [Fact]
    public void AcquireBlock_OutOfRange_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        Assert.Throws<ArgumentOutOfRangeException>(() => streamed.AcquireBlock(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => streamed.AcquireBlock(-1));
    }

    [Fact]
    public void RowsOfEmbeddingAndHead_EqualTheResidentModel()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create(TinyLlama.Config(vocabulary: 5000));
        TinyFolder.Write(made, folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        using var scope = NewDisposeScope();
        using IDisposable off = no_grad();
        Tensor x = randn(new long[] { 3, 16 }, generator: new Generator(4));
        Near.Equal(made.Logits(x).data<float>().ToArray(), streamed.Logits(x).data<float>().ToArray(), 1e-5);
        Tensor ids = tensor(new long[] { 4999, 0, 7, 7, 8, 4999, 3 });
        Assert.Equal(made.HeadRows(ids).data<float>().ToArray(), streamed.HeadRows(ids).data<float>().ToArray());
        Assert.Equal(
            made.Embed(ids.unsqueeze(0)).data<float>().ToArray(),
            streamed.Embed(ids.unsqueeze(0)).data<float>().ToArray());
        Assert.Throws<TokenDataException>(() => streamed.HeadRows(tensor(new long[] { 5000 })));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(50)]
    [InlineData(4096)]
    public void HeadChunks_AnySize_CoverTheVocabularyOnce(int rows)
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        var all = new List<float>();
        foreach ((long start, Tensor weight) in streamed.HeadChunks(rows))
        {
            Assert.Equal(all.Count, start * 16);
            all.AddRange(weight.data<float>().ToArray());
        }

        Assert.Equal(made.lm_head!.weight.data<float>().ToArray(), all);
    }

    [Fact]
    public void HeadChunks_LeftEarly_LeavesNoTensors()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        LeakProbe.AssertNoGrowth(() => Assert.Equal(2, streamed.HeadChunks(7).Take(2).Count()));
    }

    [Fact]
    public void Evaluate_StreamedRepeatedly_LeavesNoTensors()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        LeakProbe.AssertNoGrowth(() => new PerplexityEvaluator().Evaluate(streamed, Rows, PerplexityProtocol.Rows));
        int parameters = (2 * made.layers[0].named_parameters().Count()) + 1;   // two buffers and the final norm
        LeakProbe.AssertNoGrowth(
            () =>
            {
                using StreamedLlama once = StreamedLlama.Open(folder["m"]);
                new PerplexityEvaluator().Evaluate(once, Rows, PerplexityProtocol.Rows);
            },
            parametersPerRun: parameters);
    }

    [Fact]
    public void Evaluate_StreamedAndCancelled_CanGoOn()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        var evaluator = new PerplexityEvaluator(new PerplexityOptions { BatchTokens = 20 });
        double expected = evaluator.Evaluate(made, Rows, PerplexityProtocol.Rows).MeanNll;
        LeakProbe.AssertNoGrowth(() =>
        {
            using var stop = new CancellationTokenSource();
            int left = 4;
            var countdown = new Countdown(() =>
            {
                if (--left == 0)
                    stop.Cancel();
            });
            Assert.Throws<OperationCanceledException>(() => evaluator.Evaluate(streamed, Rows, PerplexityProtocol.Rows, null, countdown, stop.Token));
        });
        Assert.Equal(expected, evaluator.Evaluate(streamed, Rows, PerplexityProtocol.Rows).MeanNll, 1e-6);
    }

    [Fact]
    public void AcquireBlock_FileCutWhileOpen_IsACheckpointError()
    {
        using var folder = new TemporaryFolder();
        using LlamaModel made = TinyLlama.Create();
        TinyFolder.Write(made, folder["m"]);
        using StreamedLlama streamed = StreamedLlama.Open(folder["m"]);
        using (var file = new FileStream(Path.Combine(folder["m"], "model.safetensors"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(file.Length / 2);
        Assert.Throws<CheckpointException>(() =>
        {
            for (int layer = 0; layer < 3; layer++)
                streamed.AcquireBlock(layer).Dispose();
        });
    }

    private static void CheckBlock(LlamaBlock expected, LlamaBlock actual)
    {
        (string name, TorchSharp.Modules.Parameter parameter)[] a = [.. expected.named_parameters()], b = [.. actual.named_parameters()];
        Assert.Equal(a.Select(p => p.name), b.Select(p => p.name));
        for (int i = 0; i < a.Length; i++)
            Assert.True(a[i].parameter.bytes.SequenceEqual(b[i].parameter.bytes), a[i].name);
    }

    private sealed class Countdown(Action action) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value) => action();
    }
}
