// shear tune: LoRA adapters on a frozen model.
using LlmShearing.Lora;

namespace LlmShearing.Cli;

internal sealed class TuneCommand : TrainingCommand
{
    private readonly LoraFlags _lora = new();

    public TuneCommand(Surroundings surroundings)
        : base(
            surroundings,
            new TrainingOptions(rate: "1e-4", schedule: "linear", warmup: 100, batch: 64, beta2: 0.999),
            "tune",
            "Trains LoRA adapters on a frozen model, by default as Shortened LLaMA does, and writes them in PEFT's format.",
            "shear tune SMALLER --data tokens/train --held-out tokens/held-out --tokens 1_000_000 --out ADAPTER",
            "shear merge SMALLER --adapter ADAPTER --out RECOVERED") => AddTrainingOptions(_lora.All);

    protected override ITrainingSubject Open(Invocation run, string model) => new Subject(
        LlamaModel.Load(model, ComputeType(run), progress: run.Progress, cancellationToken: run.Cancellation),
        _lora.Read(run, run.Get(Training.Seed)!.Value) with { BaseModel = ModelFolder.Name(model) });

    private sealed class Subject : ITrainingSubject
    {
        private readonly LlamaModel _model;
        private readonly LoraAttachment _adapters;

        public Subject(LlamaModel model, LoraOptions options)
        {
            _model = model;
            try
            {
                _adapters = new LoraAdapter(options).Attach(model);
            }
            catch
            {
                model.Dispose();
                throw;
            }

            Trainable = new LoraTrainable(_adapters);
        }

        public ITrainable Trainable { get; }

        public ITrainingObjective? Objective => null;

        public void Dispose()
        {
            _adapters.Dispose();
            _model.Dispose();
        }
    }
}
