using LlmShearing.Evaluation;
using LlmShearing.Model;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Evaluation;

[Collection("tensor count")]
public sealed class PerplexityEvaluatorTests
{
    private const int Vocabulary = 50;

    private static int[][] Rows => TinyLlama.Rows(3, Vocabulary, 17, 5, 2, 17, 40, 9);

    // Loss of each row by the plain forward pass, one row at a time.
    private static double[] Direct(LlamaModel model, int[][] rows, LlamaGates? gates = null)
    {
        using var scope = NewDisposeScope();
        using IDisposable off = no_grad();
        return
        [
            .. rows.Select(row =>
            {
                Tensor ids = tensor(row.Select(i => (long)i).ToArray(), 1, row.Length);
                Tensor logits = model.forward(ids, new ForwardOptions { Gates = gates }).squeeze(0).to(ScalarType.Float64);
                Tensor logp = nn.functional.log_softmax(logits, -1);
                double sum = 0;
                for (int t = 1; t < row.Length; t++)
                    sum -= logp[t - 1, row[t]].item<double>();
                return sum;
            }),
        ];
    }

    [Theory]
    [InlineData(4, 4, false, false)]
    [InlineData(4, 2, true, false)]
    [InlineData(4, 1, false, true)]
    public void Evaluate_RowsOfUnequalLength_EqualThePlainForwardPass(int heads, int groups, bool tied, bool biases)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(queryHeads: heads, keyValueHeads: groups, tied: tied, biases: biases), 5);
        PerplexityResult result = new PerplexityEvaluator().Evaluate(model, Rows, PerplexityProtocol.Rows);
        double[] expected = Direct(model, Rows);
        Assert.Equal(Rows.Length, result.Windows);
        for (int r = 0; r < expected.Length; r++)
            Assert.Equal(expected[r], result.PerSequence[r].NllSum, 1e-4);
        Assert.Equal(Math.Exp(expected.Sum() / Rows.Sum(r => r.Length - 1)), result.Perplexity, 1e-4);
        Assert.Equal(Rows.Sum(r => r.Length - 1), result.Tokens);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(40)]
    [InlineData(100)]
    [InlineData(100000)]
    public void Evaluate_AnyBatchSize_GivesTheSameNumbers(int batchTokens)
    {
        using LlamaModel model = TinyLlama.Create();
        PerplexityResult one = new PerplexityEvaluator().Evaluate(model, Rows, PerplexityProtocol.Rows);
        PerplexityResult other = new PerplexityEvaluator(new PerplexityOptions { BatchTokens = batchTokens }).Evaluate(model, Rows, PerplexityProtocol.Rows);
        for (int r = 0; r < Rows.Length; r++)
            Assert.Equal(one.PerSequence[r].NllSum, other.PerSequence[r].NllSum, 1e-4);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16 * 4 * 60)]
    [InlineData(1 << 20)]
    public void Evaluate_ManyStatesPerBlock_EqualsBatchByBatch(long stateBytes)
    {
        using LlamaModel model = TinyLlama.Create();
        var options = new PerplexityOptions { BatchTokens = 20, StateBytes = stateBytes };
        PerplexityResult one = new PerplexityEvaluator(options).Evaluate(model, Rows, PerplexityProtocol.Rows);
        PerplexityResult other = new PerplexityEvaluator(options).Evaluate(new NotResident(model), Rows, PerplexityProtocol.Rows);
        for (int r = 0; r < Rows.Length; r++)
            Assert.Equal(one.PerSequence[r].NllSum, other.PerSequence[r].NllSum, 0.0);
    }

    [Fact]
    public void Evaluate_ConstantLogits_GivesTheVocabularySize()
    {
        using LlamaModel model = TinyLlama.Create();
        using (no_grad())
            model.lm_head!.weight.zero_();
        PerplexityResult result = new PerplexityEvaluator().Evaluate(model, TinyLlama.Rows(1, Vocabulary, 1280), PerplexityProtocol.Preset("llm-pruner"));
        Assert.Equal(Vocabulary, result.Perplexity, 1e-4);
        Assert.Equal((1270L, 10), (result.Tokens, result.Windows));
    }

    [Fact]
    public void Evaluate_DynamicRope_DoesNotDependOnTheBatch()
    {
        LlamaConfig config = TinyLlama.Config() with { RopeScaling = new RopeScaling(RopeType.Dynamic) { Factor = 4 }, MaxPositionEmbeddings = 8 };
        using LlamaModel model = TinyLlama.Create(config);
        PerplexityResult result = new PerplexityEvaluator().Evaluate(model, Rows, PerplexityProtocol.Rows);
        double[] expected = Direct(model, Rows);
        for (int r = 0; r < expected.Length; r++)
            Assert.Equal(expected[r], result.PerSequence[r].NllSum, 1e-4);
    }

    [Fact]
    public void Evaluate_WithGates_EqualsTheGatedForwardPass()
    {
        using LlamaModel model = TinyLlama.Create();
        using LlamaGates gates = LlamaGates.Ones(model.Config.Shape, PruningAxes.Hidden | PruningAxes.QueryHeads | PruningAxes.Intermediate | PruningAxes.Layers);
        gates.Hidden!.narrow(0, 3, 4).zero_();
        gates.QueryHeads![1].narrow(0, 1, 2).zero_();
        gates.Intermediate![2].narrow(0, 0, 10).zero_();
        gates.Layers!.narrow(0, 0, 1).zero_();
        PerplexityResult result = new PerplexityEvaluator().Evaluate(model, Rows, PerplexityProtocol.Rows, gates);
        double[] expected = Direct(model, Rows, gates);
        for (int r = 0; r < expected.Length; r++)
            Assert.Equal(expected[r], result.PerSequence[r].NllSum, 1e-4);
    }

    [Fact]
    public void Evaluate_BrokenBlock_NamesWindowAndBlock()
    {
        using LlamaModel model = TinyLlama.Create();
        using (no_grad())
            model.layers[1].mlp!.down_proj.weight.fill_(float.NaN);
        var e = Assert.Throws<EvaluationException>(() => new PerplexityEvaluator().Evaluate(model, TinyLlama.Rows(3, Vocabulary, 5, 7), PerplexityProtocol.Rows));
        Assert.Equal(
            "Window 1 (row 1, from token 0): the loss of its token 1 is NaN; the first values that are not finite appear after block 1. Check the weights there; with 16-bit floats, try float32.",
            e.Message);
    }

    [Fact]
    public void Evaluate_BFloat16_IsCloseToFloat32()
    {
        using LlamaModel model = TinyLlama.Create();
        using LlamaModel half = TinyLlama.Create(TinyLlama.Config(), dtype: ScalarType.BFloat16);
        PerplexityResult a = new PerplexityEvaluator().Evaluate(model, Rows, PerplexityProtocol.Rows);
        PerplexityResult b = new PerplexityEvaluator().Evaluate(half, Rows, PerplexityProtocol.Rows);
        Assert.Equal(a.MeanNll, b.MeanNll, 0.05);
    }

    [Fact]
    public void Evaluate_Repeated_LeavesNoTensors()
    {
        using LlamaModel model = TinyLlama.Create();
        using LlamaGates gates = LlamaGates.Ones(model.Config.Shape, PruningAxes.Hidden);
        LeakProbe.AssertNoGrowth(() => new PerplexityEvaluator().Evaluate(model, Rows, PerplexityProtocol.Rows, gates));
        LeakProbe.AssertNoGrowth(() => new PerplexityEvaluator().Evaluate(new NotResident(model), Rows, PerplexityProtocol.Rows, gates));
    }

    [Fact]
    public void Evaluate_Cancelled_StopsAndLeavesNoTensors()
    {
        using LlamaModel model = TinyLlama.Create();
        long last = 0;
        LeakProbe.AssertNoGrowth(
            () =>
            {
                using var stop = new CancellationTokenSource();
                var progress = new Every(p =>
                {
                    last = p.Completed;
                    if (p.Completed == 2)
                        stop.Cancel();
                });
                Assert.Throws<OperationCanceledException>(() => new PerplexityEvaluator().Evaluate(model, Rows, PerplexityProtocol.Rows, null, progress, stop.Token));
            });
        Assert.Equal(2, last);
        Assert.True(is_grad_enabled());
    }

    [Fact]
    public void Evaluate_ToTheEnd_ReportsAllSteps()
    {
        using LlamaModel model = TinyLlama.Create();
        var seen = new List<ShearingProgress>();
        new PerplexityEvaluator(new PerplexityOptions { BatchTokens = 20 }).Evaluate(model, Rows, PerplexityProtocol.Rows, null, new Every(seen.Add));
        Assert.Equal(seen[^1].Total, seen[^1].Completed);
        Assert.Equal(seen.Count, seen[^1].Total);
    }

    private sealed class Every(Action<ShearingProgress> action) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value) => action(value);
    }

    // A resident model that is treated as a streamed one.
    private sealed class NotResident(ILlamaSource inner) : ILlamaSource
    {
        public LlamaConfig Config => inner.Config;

        public string Name => inner.Name;

        public ScalarType Dtype => inner.Dtype;

        public Device Device => inner.Device;

        public bool IsResident => false;

        public Tensor Embed(Tensor ids, LlamaPass? pass = null) => inner.Embed(ids, pass);

        public BlockLease AcquireBlock(int layer) => inner.AcquireBlock(layer);

        public Tensor FinalNorm(Tensor hidden, LlamaPass? pass = null) => inner.FinalNorm(hidden, pass);

        public Tensor Logits(Tensor normed) => inner.Logits(normed);

        public IEnumerable<(long Start, Tensor Weight)> HeadChunks(long rows) => inner.HeadChunks(rows);

        public Tensor HeadRows(Tensor ids) => inner.HeadRows(ids);
    }
}
