using LlmShearing.Testing.Training;
using LlmShearing.Testing;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using TorchSharp;

namespace LlmShearing.Training.Tests;

[Collection("tensor count")]
public sealed class TrainerLeakTests
{
    [Theory]
    [InlineData(null)]
    [InlineData(5)]
    public void Run_LeavesNoTensors(int? breakAtBatch)
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 2), seed: 5);
        using var trainable = new FullModel(model);
        LeakProbe.AssertNoGrowth(
            () =>
            {
                using var folder = new TemporaryFolder();
                using var data = new ScriptedData { OnNext = n => _ = n == breakAtBatch ? throw new TokenDataException("damaged") : 0 };
                TrainingRunOptions options = RunBench.Options with { Steps = 3 };
                new Trainer().Run(trainable, data, options, folder["run"], ScriptedData.Evaluation());
                using var again = new ScriptedData();
                new Trainer().Run(trainable, again, options, folder["run"], ScriptedData.Evaluation());
            },
            mayThrow: breakAtBatch is not null);
        Assert.All(model.parameters(), p => Assert.Null(p.grad));
    }
}
