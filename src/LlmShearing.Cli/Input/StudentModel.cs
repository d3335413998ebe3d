// The model that is trained, and its teacher when there is one: two models in memory, or one whose blocks the student borrows.
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Terminal;
using LlmShearing.Execution;
using LlmShearing.Model;
using LlmShearing.Training.Distillation;
using LlmShearing.Training.Steps;
using static TorchSharp.torch;

namespace LlmShearing.Cli.Input;

/// <param name="Model">The model to train.</param>
/// <param name="Teacher">The teacher, or null.</param>
/// <param name="Objective">Distillation, or null.</param>
/// <param name="Map">Trained map between their hidden states, or null.</param>
internal sealed record StudentModel(LlamaModel Model, LlamaModel? Teacher, ITrainingObjective? Objective, StateMap? Map = null) : IDisposable
{
    /// <summary>Loads what is needed.</summary>
    /// <param name="run">The command.</param>
    /// <param name="folder">Folder of the student.</param>
    /// <param name="compute">Device and type of all weights.</param>
    /// <param name="flags">Distillation.</param>
    /// <param name="share">Whether the student borrows the teacher's weights; they must be the same.</param>
    public static StudentModel Load(Invocation run, string folder, Compute compute, DistillationFlags flags, bool share)
    {
        LlamaModel Open(string path) => LlamaModel.Load(path, compute.Type, compute.Device, progress: run.Progress, cancellationToken: run.Cancellation);
        if (!flags.IsGiven(run))
            return new StudentModel(Open(folder), null, null);
        PruningPlan? plan = flags.ReadPlan(run);
        DistillationOptions options = flags.Read(run, plan);
        string teacherFolder = run.Get(flags.Teacher)!;
        LlamaShape large = ModelFolder.Config(teacherFolder).Shape, small = ModelFolder.Config(folder).Shape;
        if (large.VocabSize != small.VocabSize)
            throw new UsageException($"The teacher has {large.VocabSize} tokens in its vocabulary, the student {small.VocabSize}. Distillation needs the same vocabulary.");
        if (options.StateWeight > 0 && large.HiddenSize != small.HiddenSize && (plan is null || !run.Get(flags.Map)))
            throw new UsageException($"The teacher has {large.HiddenSize} hidden channels, the student {small.HiddenSize}. --state-weight compares hidden states, which must be equally wide: {(plan is null ? "" : "give --state-map, or ")}leave it out.");
        plan?.EnsureFor(large);
        if (plan is not null && !plan.Target.Equals(small))
            throw new UsageException($"The plan of --teacher-plan leaves {plan.Target.Layers.Length} blocks and {Numbers.Count(plan.Target.ParameterCount)} parameters; the student has {small.Layers.Length} and {Numbers.Count(small.ParameterCount)}. Give the plan that made this student.");
        if (share && plan is null)
            throw new UsageException("--share-weights needs --teacher-plan.");
        LlamaModel teacher = Open(teacherFolder);
        try
        {
            LlamaModel student = share ? Borrow(run, teacher, plan!, folder, compute) : Open(folder);
            try
            {
                StateMap? map = run.Get(flags.Map) ? new StateMap(large.HiddenSize, plan?.Hidden ?? IndexSet.All(small.HiddenSize), compute.Device) : null;
                return new StudentModel(student, teacher, new DistillationObjective(teacher, options, map), map);
            }
            catch
            {
                student.Dispose();
                throw;
            }
        }
        catch
        {
            teacher.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Model.Dispose();
        Teacher?.Dispose();
        Map?.Dispose();
    }

    // The borrowed blocks must compute what the student's own would: its weights are compared block by block, read from disk.
    private static LlamaModel Borrow(Invocation run, LlamaModel teacher, PruningPlan plan, string folder, Compute compute)
    {
        LlamaModel student = teacher.ShareBlocks(plan);
        try
        {
            using StreamedLlama own = StreamedLlama.Open(folder, compute.Type, compute.Device);
            for (int layer = 0; layer < student.layers.Count; layer++)
            {
                run.Progress.Report(new ShearingProgress("comparing weights", layer, student.layers.Count, "blocks"));
                run.Cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                using BlockLease lease = own.AcquireBlock(layer);
                foreach (((string name, var mine), (_, var theirs)) in student.layers[layer].named_parameters().Zip(lease.Block.named_parameters()))
                    if (!mine.eq(theirs).all().item<bool>())
                        throw new UsageException($"'{folder}' is no plain cut of the teacher: {name} of block {layer} differs. Leave out --share-weights.");
            }

            return student;
        }
        catch
        {
            student.Dispose();
            throw;
        }
    }
}
