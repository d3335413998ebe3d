// shear train: continued pretraining of all weights.
namespace LlmShearing.Cli;

internal sealed class TrainCommand : TrainingCommand
{
    public TrainCommand(Surroundings surroundings)
        : base(
            surroundings,
            new TrainingOptions(rate: "1e-4", schedule: "cosine", warmup: 100, batch: 32, beta2: 0.95),
            "train",
            "Trains all weights of a model on: continued pretraining. Can be stopped or killed and goes on with the same command.",
            "shear train SMALLER --data tokens/train --held-out tokens/held-out --tokens 1_000_000 --lr 3e-4 --out RECOVERED",
            "shear train SMALLER --file corpus.jsonl --steps 200 --out RECOVERED --dry-run",
            "shear train SMALLER --config train.json --out RECOVERED") => AddTrainingOptions();

    protected override ITrainingSubject Open(Invocation run, string model) => new Subject(
        LlamaModel.Load(model, ComputeType(run), progress: run.Progress, cancellationToken: run.Cancellation),
        new LlamaCheckpointWriterOptions { AuxiliaryFilesFrom = model });

    private sealed class Subject(LlamaModel model, LlamaCheckpointWriterOptions writer) : ITrainingSubject
    {
        private readonly FullModel _full = new(model, writer);

        public ITrainable Trainable => _full;

        public ITrainingObjective? Objective => null;

        public void Dispose()
        {
            _full.Dispose();
            model.Dispose();
        }
    }
}
