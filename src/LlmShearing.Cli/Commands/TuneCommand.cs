// shear tune: LoRA adapters on a frozen model.
using System.CommandLine;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Terminal;
using LlmShearing.Lora;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Cli.Commands;

internal sealed class TuneCommand : TrainingCommand
{
    private readonly LoraFlags _lora = new();
    private readonly DistillationFlags _distillation = new();
    private readonly Option<bool> _share = Opt.Flag("--share-weights", "Keep one copy of the weights in memory for student and teacher; the student must be a plain cut of whole blocks, made by --teacher-plan.");

    public TuneCommand(Surroundings surroundings)
        : base(
            surroundings,
            new TrainingOptions(rate: "1e-4", schedule: "linear", warmup: 100, batch: 64, beta2: 0.999),
            "tune",
            "Trains LoRA adapters on a frozen model, by default as Shortened LLaMA does, and writes them in PEFT's format.",
            "shear tune SMALLER --data tokens/train --held-out tokens/held-out --tokens 1_000_000 --out ADAPTER",
            "shear tune SMALLER --data tokens/train --teacher MODEL --teacher-plan plan.json --share-weights --steps 500 --out ADAPTER",
            "shear merge SMALLER --adapter ADAPTER --out RECOVERED") => AddTrainingOptions([.. _lora.All, .. _distillation.All, _share]);

    protected override string Marker => "adapter_config.json";

    protected override void Check(Invocation run)
    {
        bool distils = _distillation.IsGiven(run);
        if (distils)
            _ = _distillation.Read(run, _distillation.ReadPlan(run));
        else if (run.Get(_share))
            throw new UsageException("--share-weights needs --teacher.");
    }

    protected override ITrainingSubject Open(Invocation run, string model, TrainingRunOptions options)
    {
        LoraOptions adapters = _lora.Read(run, run.Get(Training.Seed)!.Value) with { BaseModel = ModelFolder.Name(model) };
        return new Subject(StudentModel.Load(run, model, Compute, _distillation, run.Get(_share)), adapters);
    }

    private sealed class Subject : ITrainingSubject
    {
        private readonly StudentModel _student;
        private readonly LoraAttachment _adapters;

        public Subject(StudentModel student, LoraOptions options)
        {
            _student = student;
            try
            {
                _adapters = new LoraAdapter(options).Attach(student.Model);
            }
            catch
            {
                student.Dispose();
                throw;
            }

            Trainable = new LoraTrainable(_adapters);
        }

        public ITrainable Trainable { get; }

        public ITrainingObjective? Objective => _student.Objective;

        public void Dispose()
        {
            _adapters.Dispose();
            _student.Dispose();
        }
    }
}
