// shear fold: the model of a mask-learning run, cut to another shape than the one it was trained for.
using System.CommandLine;
using System.Text.Json.Nodes;
using LlmShearing.Checkpoints;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Json;
using LlmShearing.Masks;
using LlmShearing.Masks.Learning;
using LlmShearing.Planning;
using LlmShearing.Training.Runs;

namespace LlmShearing.Cli.Commands;

internal sealed class FoldCommand : ShearCommand
{
    private readonly ModelOptions _model = new();
    private readonly WidthOptions _target = new();
    private readonly Option<string?> _run = Opt.Text("--run", "FOLDER", "Folder of a run of 'shear learn' from this model.");
    private readonly Option<string?> _out = Opt.Text("--out", "FOLDER", "Where the model goes.");
    private readonly Option<bool> _harden = Opt.Flag("--harden", "Cut without folding mask values into the weights that stay.");
    private readonly Option<bool> _force = Opt.Flag("--force", "Replace --out when it exists.");

    public FoldCommand(Surroundings surroundings)
        : base(
            surroundings,
            "fold",
            "Cuts the model of a mask-learning run to another shape: weights and masks of its last checkpoint, the best units of each kind. Only the shape of the run was trained for.",
            "shear fold MODEL --run SMALLER.run --hidden 512 --heads 6 --intermediate 1152 --layers 26 --out OTHER")
    {
        Arguments.Add(_model.Folder);
        AddOptions(_run, _out, _force, _harden);
        AddOptions(_target.All);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        string folder = run.Get(_model.Folder), learned = run.Get(_run) ?? throw new UsageException("Give --run FOLDER, the run of 'shear learn'.");
        using ModelOutput output = ModelOutput.Open(run.Get(_out) ?? throw new UsageException("Nothing says where the result goes. Give --out FOLDER."), run.Get(_force));
        if (!_target.IsGiven(run))
            throw new UsageException("Nothing says how small the model shall be. Give sizes such as --hidden, --heads, --intermediate and --layers.");
        LlamaShape source = ModelFolder.Config(folder).Shape, target = TargetShape.Of(source, _target.Read(run));
        output.Expect(target);
        ConfigReader trainable = Trainable(learned);
        MaskLayout layout = MaskLayout.ForTarget(source, target, MaskFamily.Parse(trainable.Array("masks")!.Select(m => m is JsonValue name && name.TryGetValue(out string? text) ? text : throw trainable.Wrong("masks", "a list of names"))));
        string planFile = Path.Combine(learned, "plan.json");
        bool trained = File.Exists(planFile) && PruningPlan.Load(planFile).Target.Equals(target);
        if (!trained)
            run.Note("The masks and weights were trained for another shape: expect to train the result for longer.");
        // A checkpoint is read into a trainable like the one that wrote it.
        using LlamaModel model = LlamaModel.Load(folder, Dtype(trainable), progress: run.Progress, cancellationToken: run.Cancellation);
        var options = new MaskLearningOptions { Harden = run.Get(_harden), TrainWeights = trainable.Text("trains") != "masks", GateEmbedding = trainable.Has("gate_embedding") ? trainable.Bool("gate_embedding", false) : throw trainable.Missing("gate_embedding") };
        using var learner = new MaskLearner(model, layout, options, writer: new LlamaCheckpointWriterOptions { AuxiliaryFilesFrom = folder, Logger = run.Log });
        TrainingCheckpoint checkpoint = TrainingCheckpoint.Last(learned);
        checkpoint.LoadWeights(learner);
        learner.Export(output.Path, run.Get(_force), run.Cancellation);
        output.Finish(run);
        run.Result(
            () => new JsonObject { ["step"] = checkpoint.Step, ["parameters"] = target.ParameterCount, ["trained_for_this_shape"] = trained, ["out"] = output.Folder },
            console => console.Line($"{Numbers.Count(source.ParameterCount)} -> {Numbers.Count(target.ParameterCount)} parameters, from the checkpoint after {checkpoint.Step} steps; written to {output.Folder}"));
    }

    private static TorchSharp.torch.ScalarType Dtype(ConfigReader trainable) => trainable.Text("dtype") switch
    {
        nameof(TorchSharp.torch.ScalarType.Float32) => TorchSharp.torch.ScalarType.Float32,
        nameof(TorchSharp.torch.ScalarType.Float64) => TorchSharp.torch.ScalarType.Float64,
        nameof(TorchSharp.torch.ScalarType.BFloat16) => TorchSharp.torch.ScalarType.BFloat16,
        nameof(TorchSharp.torch.ScalarType.Float16) => TorchSharp.torch.ScalarType.Float16,
        _ => throw trainable.Wrong("dtype", "Float32, Float64, BFloat16 or Float16"),
    };

    // What the run trained, as it described it.
    private static ConfigReader Trainable(string learned)
    {
        string file = Path.Combine(learned, "run.json");
        if (!File.Exists(file))
            throw new UsageException($"There is no '{file}'. Give the folder of a run of 'shear learn', usually its --out with .run added.");
        if (new ConfigReader(JsonFile.ReadObject(file), file).Object("configuration")?.Object("trainable") is not { } trainable || trainable.Array("masks") is null)
            throw new UsageException($"'{learned}' is no run of mask learning.");
        return trainable.Has("target")
            ? trainable
            : throw new UsageException($"'{learned}' was learned under a budget of parameters. Only runs with a target shape can be cut to another one.");
    }
}
