// Objectives of one's own: losses at logits and at block outputs, in every slice and mode.
using LlmShearing.Testing.Training;
using LlmShearing.Model;
using LlmShearing.Testing;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests;

public sealed class TrainingStepObjectiveTests
{
    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 0)]
    [InlineData(true, 2)]
    [InlineData(false, 2)]
    public void Compute_LossesAtBlocks_EqualsAutograd(bool recompute, int firstTrained)
    {
        using LlamaModel model = TinyLlama.Create(3);
        TrainingBatch batch = StepBatches.Labelled(40);
        using var trained = new PartOfModel(model, n => !n.Contains("layers.", StringComparison.Ordinal) && !n.Contains("embed", StringComparison.Ordinal)
            || Enumerable.Range(firstTrained, 3 - firstTrained).Any(l => n.Contains($"layers.{l}.", StringComparison.Ordinal)));
        (double loss, double squares, var expected) = Plain(model, batch);
        StepLosses losses = new TrainingStep(trained, new TrainingStepOptions { Recompute = recompute, LogitBytes = 1000 }, new SquaresAtBlocks()).Compute([batch], 0, 0);
        PlainStep.AssertEqual(expected, PlainStep.Take(model), 5e-5, "gradients");
        Near.Equal(loss, losses.Loss, 0, 1e-5, "loss");
        Near.Equal(squares, losses.Parts["squares"], 0, 1e-5, "squares");
        Near.Equal(loss - squares, losses.Parts["lm"], 0, 1e-4, "lm");
    }

    [Fact]
    public void Compute_GradientOfAnotherShape_NamesBoth()
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        string message = Assert.Throws<TrainingException>(() => new TrainingStep(full, new TrainingStepOptions(), new Wrong(reportsLoss: true)).Compute([StepBatches.Labelled(1)], 0, 0)).Message;
        Assert.Contains("[1, 2] for logits of shape", message, StringComparison.Ordinal);
        Assert.Empty(PlainStep.Take(model));
    }

    [Fact]
    public void Compute_ObjectiveWithoutASumNamedLoss_IsRefused()
    {
        using LlamaModel model = TinyLlama.Create();
        using var full = new FullModel(model);
        Assert.Contains("no sum named \"loss\"", Assert.Throws<TrainingException>(() => new TrainingStep(full, new TrainingStepOptions(), new Wrong(reportsLoss: false)).Compute([StepBatches.Labelled(1)], 0, 0)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void InPlace_LogitsOfAnySize_AreTheLossAndItsGradient()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        foreach ((long n, long v, double spread) in new[] { (1L, 1L, 1.0), (5L, 7L, 1.0), (9L, 90_001L, 1.0), (4L, 50L, 60.0) })
        {
            Tensor logits = randn([n, v], generator: generator) * spread, leaf = logits.clone().requires_grad_();
            Tensor targets = randint(0, v, [n], dtype: ScalarType.Int64, generator: generator);
            Tensor loss = leaf.to(ScalarType.Float64).log_softmax(-1).gather(1, targets.unsqueeze(1)).sum().neg();
            (loss * 0.25).backward();
            double sum = CrossEntropy.InPlace(logits, targets, 0.25);
            Near.Equal(loss.item<double>(), sum, 1e-6, 1e-6, $"loss of {n} x {v}");
            Near.Equal([.. leaf.grad!.data<float>()], [.. logits.data<float>()], 5e-6, 0, $"gradient of {n} x {v}");
        }
    }

    private static (double Loss, double Squares, Dictionary<string, float[]> Gradients) Plain(LlamaModel model, TrainingBatch batch)
    {
        using var scope = NewDisposeScope();
        LlamaPass pass = LlamaPass.Begin(model.Config, batch.Tokens.BatchSize, batch.Tokens.SequenceLength, null, model.Dtype, model.Device);
        Tensor x = model.Embed(TinyLlama.Ids(batch.Tokens), pass), squares = zeros(1);
        foreach (LlamaBlock block in model.layers)
        {
            x = block.forward(x, pass);
            if (block.Layer != 1)
                squares = squares + (x.square().sum() * 0.01);
        }

        (long[] positions, long[] targets) = batch.Scored();
        squares = squares / targets.Length;
        Tensor lm = model.Logits(model.FinalNorm(x, pass)).reshape(-1, 50).index_select(0, tensor(positions)).log_softmax(-1).gather(1, tensor(targets).unsqueeze(1)).mean().neg();
        Tensor loss = lm + squares;
        loss.backward();
        return (loss.item<float>(), squares.item<float>(), PlainStep.Take(model));
    }

    // Cross entropy plus 0.01 times the squares of what blocks 0 and 2 give out.
    private sealed class SquaresAtBlocks : ITrainingObjective, IMicroBatchObjective
    {
        public IMicroBatchObjective Begin(TrainingBatch batch, Tensor ids, Tensor scored) => this;

        public bool Wants(int layer) => layer != 1;

        public Tensor AtLogits(Tensor logits, Tensor targets, long first, double scale, LossSums losses)
        {
            double sum = CrossEntropy.InPlace(logits, targets, scale);
            losses.Add("lm", sum);
            losses.Add("loss", sum);
            return logits;
        }

        public Tensor? AtBlock(int layer, Tensor hidden, double scale, LossSums losses)
        {
            Assert.False(hidden.requires_grad);
            double sum = 0.01 * hidden.square().sum().item<float>();
            losses.Add("squares", sum);
            losses.Add("loss", sum);
            return hidden * (0.02 * scale);
        }

        public void Dispose()
        {
        }
    }

    private sealed class Wrong(bool reportsLoss) : ITrainingObjective, IMicroBatchObjective
    {
        public IMicroBatchObjective Begin(TrainingBatch batch, Tensor ids, Tensor scored) => this;

        public Tensor AtLogits(Tensor logits, Tensor targets, long first, double scale, LossSums losses)
        {
            if (reportsLoss)
                losses.Add("loss", 1);
            return reportsLoss ? zeros(1, 2) : logits;
        }

        public void Dispose()
        {
        }
    }
}
