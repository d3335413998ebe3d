// A disposed model says so wherever it is used, and what was made on it can still be disposed.
using LlmShearing.Testing.Training;
using LlmShearing.Core.Tests.Scoring;
using LlmShearing.Evaluation;
using LlmShearing.Execution;
using LlmShearing.Model;
using LlmShearing.Planning;
using LlmShearing.Scoring;
using LlmShearing.Surgery;
using LlmShearing.Testing;
using LlmShearing.Training.Distillation;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Devices;

[Collection("tensor count")]
public sealed class DisposedModelTests
{
    private static readonly TokenBatch Batch = TinyLlama.Batch(1, 2, 8);

    private static readonly Dictionary<string, Action<LlamaModel>> Uses = new()
    {
        ["forward"] = m => m.forward(TinyLlama.Ids(Batch)),
        ["call"] = m => m.call(TinyLlama.Ids(Batch)),
        ["Hidden"] = m => m.Hidden(TinyLlama.Ids(Batch)),
        ["Embed"] = m => m.Embed(TinyLlama.Ids(Batch)),
        ["AcquireBlock"] = m => m.AcquireBlock(0),
        ["FinalNorm"] = m => m.FinalNorm(zeros([1, 1, 16], device: CPU)),
        ["Logits"] = m => m.Logits(zeros([1, 1, 16], device: CPU)),
        ["HeadChunks"] = m => m.HeadChunks(8).ToArray(),
        ["HeadRows"] = m => m.HeadRows(zeros([1], ScalarType.Int64, device: CPU)),
        ["embedding"] = m => m.embed_tokens.forward(TinyLlama.Ids(Batch)),
        ["projection"] = m => m.layers[0].mlp!.down_proj.forward(zeros([1, 1, m.layers[0].mlp!.down_proj.InFeatures], device: CPU)),
        ["tap"] = m => m.layers[0].mlp!.down_proj.Attach(new NoTap()),
        ["norm"] = m => m.norm.forward(zeros([1, 1, 16], device: CPU)),
        ["NamedWeights"] = m => m.NamedWeights().ToArray(),
        ["parameters"] = m => m.parameters().ToArray(),
        ["named_parameters"] = m => m.named_parameters().ToArray(),
        ["state_dict"] = m => m.state_dict(),
        ["eval"] = m => m.eval(),
        ["zero_grad"] = m => m.zero_grad(),
        ["to dtype"] = m => m.to(ScalarType.BFloat16),
        ["to device"] = m => m.to(CPU),
        ["cpu"] = m => m.cpu(),
        ["to device type"] = m => m.to(DeviceType.CPU),
        ["ShareBlocks"] = m => m.ShareBlocks(PruningPlan.Identity(m.Config.Shape)),
        ["Save"] = m => m.Save(Path.Combine(Path.GetTempPath(), "never-written-" + Guid.NewGuid())),
        ["surgery"] = m => ModelSurgery.Apply(m, PruningPlan.Identity(m.Config.Shape)),
        ["pruner"] = m => new LlamaPruner().Apply(m, PruningPlan.Identity(m.Config.Shape)),
        ["plan"] = m => new LlamaPruner().CreatePlan(m, new RandomScorer(), new BlockDepthOptions { Count = 1 }),
        ["evaluate"] = m => new LlamaPruner().Evaluate(m, null, [[1, 2, 3]]),
        ["perplexity"] = m => new PerplexityEvaluator().Evaluate(m, [[1, 2, 3]]),
        ["token losses"] = m => new PerplexityEvaluator().TokenLosses(m, []),
        ["generate"] = m => LlamaGenerator.Generate(m, Batch),
        ["FullModel"] = m => new FullModel(m),
        ["distillation"] = m => new DistillationObjective(m),
        ["random"] = m => new RandomScorer().Score(new ScoringRequest(m, PruningAxes.Layers, [])),
        ["magnitude"] = m => Score(m, ScorerNames.Magnitude),
        ["taylor"] = m => Score(m, ScorerNames.Taylor),
        ["block-perplexity"] = m => Score(m, ScorerNames.BlockPerplexity),
        ["block-influence"] = m => Score(m, ScorerNames.BlockInfluence),
        ["angular"] = m => Score(m, ScorerNames.Angular),
        ["gate-taylor"] = m => Score(m, ScorerNames.GateTaylor),
    };

    public static TheoryData<string> Names() => [.. Uses.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Use_AfterDisposal_IsToldAsSuch(string name)
    {
        LlamaModel model = TinyLlama.Create();
        model.Dispose();
        ObjectDisposedException e = Assert.Throws<ObjectDisposedException>(() => Uses[name](model));
        Assert.Contains("was disposed", e.Message, StringComparison.Ordinal);
        model.Dispose();
    }

    [Fact]
    public void Training_AfterDisposal_IsToldAsSuch()
    {
        using var folder = new TemporaryFolder();
        LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        var step = new TrainingStep(full, new TrainingStepOptions());
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => step.Compute([new TrainingBatch(Batch)], 0, 0));
        Assert.Throws<ObjectDisposedException>(() => new TrainingStep(full, new TrainingStepOptions()));
        Assert.Throws<ObjectDisposedException>(() => new Trainer().Run(full, new ScriptedData(), RunBench.Options, folder["run"]));
        Assert.Throws<ObjectDisposedException>(() => full.Export(folder["out"]));
        Assert.Throws<ObjectDisposedException>(() => full.Groups(new OptimizerSettings()));
        Assert.Throws<ObjectDisposedException>(() => TrainingEstimate.Of(full, RunBench.Options, 1, 8));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void StreamedModel_AfterDisposal_IsToldAsSuch()
    {
        using var folder = new TemporaryFolder();
        using (LlamaModel model = TinyLlama.Create())
            TinyFolder.Write(model, folder["model"]);
        StreamedLlama streamed = StreamedLlama.Open(folder["model"]);
        streamed.Dispose();
        Assert.Throws<ObjectDisposedException>(() => streamed.Embed(TinyLlama.Ids(Batch)));
        Assert.Throws<ObjectDisposedException>(() => streamed.AcquireBlock(0));
        Assert.Throws<ObjectDisposedException>(() => streamed.FinalNorm(zeros([1, 1, 16], device: CPU)));
        Assert.Throws<ObjectDisposedException>(() => streamed.Logits(zeros([1, 1, 16], device: CPU)));
        Assert.Throws<ObjectDisposedException>(() => streamed.HeadChunks(8).ToArray());
        Assert.Throws<ObjectDisposedException>(() => streamed.HeadRows(zeros([1], ScalarType.Int64, device: CPU)));
        Assert.Throws<ObjectDisposedException>(() => new PerplexityEvaluator().Evaluate(streamed, [[1, 2, 3]]));
        Assert.Throws<ObjectDisposedException>(() => ScorerLeakTests.Create(ScorerNames.BlockInfluence).Score(new ScoringRequest(streamed, PruningAxes.Layers, TestBatches.Full())));
        Assert.Throws<ObjectDisposedException>(() => ScorerLeakTests.Create(ScorerNames.Magnitude).Score(new ScoringRequest(streamed, PruningAxes.Layers, TestBatches.Full())));
        streamed.Dispose();
    }

    [Fact]
    public void ReadOnlyUse_ByManyThreads_GivesTheSameNumbers()
    {
        using LlamaModel model = TinyLlama.Create();
        int[][] rows = TinyLlama.Rows(3, 50, 12, 9, 17);
        double Perplexity() => new PerplexityEvaluator().Evaluate(model, rows).Perplexity;
        int[] Generated() => [.. LlamaGenerator.Generate(model, Batch, new SamplingOptions { MaxNewTokens = 6 }).SelectMany(s => s.Ids.ToArray())];
        double[] Influence() => ScorerLeakTests.Create(ScorerNames.BlockInfluence).Score(new ScoringRequest(model, PruningAxes.Layers, TestBatches.Full())).LayerOrder().Select(i => (double)i).ToArray();
        (double perplexity, int[] generated, double[] influence) = (Perplexity(), Generated(), Influence());
        Exception?[] thrown = new Exception?[6];
        Thread[] threads = [.. Enumerable.Range(0, thrown.Length).Select(t => new Thread(() => thrown[t] = Record.Exception(() =>
        {
            for (int i = 0; i < 10; i++)
            {
                Assert.Equal(perplexity, Perplexity());
                Assert.Equal(generated, Generated());
                Assert.Equal(influence, Influence());
            }
        })))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        Assert.All(thrown, Assert.Null);
    }

    private static void Score(LlamaModel model, string scorer) => ScorerLeakTests.Create(scorer).Score(new ScoringRequest(model, PruningAxes.Layers, TestBatches.Full()));

    private sealed class NoTap : IProjectionTap
    {
        public Tensor? OnForward(Tensor input) => null;
    }
}
