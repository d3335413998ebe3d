// shear train: continued pretraining or instruction tuning of all weights.
using System.CommandLine;
using LlmShearing.Checkpoints;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Terminal;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Cli.Commands;

internal sealed class TrainCommand : TrainingCommand
{
    private readonly DistillationFlags _distillation = new();
    private readonly Option<bool> _scratch = Opt.Flag("--from-scratch", "Start from random weights in the model's shape, drawn from --seed, instead of its own.");

    public TrainCommand(Surroundings surroundings)
        : base(
            surroundings,
            new TrainingOptions(rate: "1e-4", schedule: "cosine", warmup: 100, batch: 32, beta2: 0.95),
            "train",
            "Trains all weights of a model: continued pretraining, or instruction tuning. Can be stopped or killed and goes on with the same command.",
            "shear train SMALLER --data tokens/train --held-out tokens/held-out --tokens 1_000_000 --lr 3e-4 --out RECOVERED",
            "shear train SMALLER --file corpus.jsonl --steps 200 --out RECOVERED --dry-run",
            "shear train SMALLER --data tokens/train --teacher MODEL --steps 500 --out RECOVERED",
            "shear train SMALLER --instructions alpaca.json --epochs 2 --out TUNED",
            "shear train SMALLER --config train.json --out RECOVERED") => AddTrainingOptions([.. _distillation.All, _scratch]);

    protected override void Check(Invocation run)
    {
        if (run.Get(_scratch) && _distillation.IsGiven(run))
            throw new UsageException("--from-scratch and --teacher do not go together.");
        if (_distillation.IsGiven(run))
            _ = _distillation.Read(run, _distillation.ReadPlan(run));
    }

    protected override ITrainingSubject Open(Invocation run, string model, TrainingRunOptions options) =>
        new Subject(
            run.Get(_scratch)
                ? new StudentModel(LlamaModel.Random(ModelFolder.Config(model), run.Get(Training.Seed)!.Value, dtype: Compute.Type, device: Compute.Device), null, null)
                : StudentModel.Load(run, model, Compute, _distillation, share: false),
            new LlamaCheckpointWriterOptions { AuxiliaryFilesFrom = model, Logger = run.Log });

    private sealed class Subject(StudentModel student, LlamaCheckpointWriterOptions writer) : ITrainingSubject
    {
        private readonly FullModel _full = new(student.Model, writer);

        public ITrainable Trainable => _full;

        public ITrainingObjective? Objective => student.Objective;

        public void Dispose()
        {
            _full.Dispose();
            student.Dispose();
        }
    }
}
