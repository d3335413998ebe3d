// Training checkpoints for tools: which there are, and the weights of one of them.
using LlmShearing.Files;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;

namespace LlmShearing.Training.Runs;

/// <summary>A checkpoint in the folder of a training run. Only reads; may be used while the run goes on.</summary>
/// <remarks>Any number of threads may read; loading weights changes the trainable, which must not compute meanwhile.</remarks>
public sealed class TrainingCheckpoint
{
    private readonly CheckpointStore _store;

    private TrainingCheckpoint(CheckpointStore store, TrainingState state, bool isBest) =>
        (_store, Step, Loss, Evaluation, Proportions, IsBest) = (store, state.Step, state.Loss, state.Evaluation, state.Proportions, isBest);

    /// <summary>Steps done.</summary>
    public long Step { get; }

    /// <summary>Training loss of the last step, or null.</summary>
    public double? Loss { get; }

    /// <summary>The last evaluation before it, or null.</summary>
    public EvaluationLosses? Evaluation { get; }

    /// <summary>Share of each domain in the samples to come; null without domains, or when an older version wrote it.</summary>
    public IReadOnlyDictionary<string, double>? Proportions { get; }

    /// <summary>Whether its evaluation had the lowest loss of the run.</summary>
    public bool IsBest { get; }

    /// <summary>Its folder.</summary>
    public string Folder => _store.PathOf(Step);

    /// <summary>The checkpoints of a run that can be read, oldest first.</summary>
    /// <param name="runFolder">Folder of the run.</param>
    /// <returns>The checkpoints; empty when there are none.</returns>
    public static IReadOnlyList<TrainingCheckpoint> List(string runFolder)
    {
        ArgumentException.ThrowIfNullOrEmpty(runFolder);
        var store = new CheckpointStore(Path.GetFullPath(runFolder), OutputFiles.Default);
        var states = new List<TrainingState>();
        foreach (long step in store.Steps())
        {
            try
            {
                states.Add(store.ReadState(step));
            }
            catch (FormatException)
            {
                // Damaged, or deleted by the run meanwhile.
            }
        }

        long? best = (states is [.., var newest] ? newest : null)?.Best?.Step;
        return [.. states.Select(s => new TrainingCheckpoint(store, s, s.Step == best))];
    }

    /// <summary>The newest checkpoint.</summary>
    /// <param name="runFolder">Folder of the run.</param>
    /// <returns>The checkpoint.</returns>
    /// <exception cref="TrainingException">There is none.</exception>
    public static TrainingCheckpoint Last(string runFolder) =>
        List(runFolder) is [.., var last] ? last : throw new TrainingException($"'{runFolder}' has no training checkpoint that can be read.");

    /// <summary>The checkpoint with the lowest evaluation loss.</summary>
    /// <param name="runFolder">Folder of the run.</param>
    /// <returns>The checkpoint.</returns>
    /// <exception cref="TrainingException">There is none; the run must have had <see cref="TrainingRunOptions.KeepBest"/>.</exception>
    public static TrainingCheckpoint Best(string runFolder) =>
        List(runFolder).FirstOrDefault(c => c.IsBest)
        ?? throw new TrainingException($"'{runFolder}' has no best checkpoint. Only runs with evaluations and {nameof(TrainingRunOptions.KeepBest)} keep one.");

    /// <summary>Puts the weights into a trainable of the same kind and shape.</summary>
    /// <param name="trainable">Receives the weights.</param>
    /// <exception cref="TrainingException">The checkpoint is damaged or belongs to another kind of trainable; nothing is changed then.</exception>
    public void LoadWeights(ITrainable trainable)
    {
        ArgumentNullException.ThrowIfNull(trainable);
        trainable.Model.EnsureAlive();
        try
        {
            _ = _store.ReadVerified(Step);
            TensorFile.Read(Path.Combine(Folder, CheckpointStore.Weights), TrainableWeights.Of(trainable.Groups(new OptimizerSettings())), TrainableWeights.ObjectivePrefix);
        }
        catch (Exception e) when (e is FormatException or CheckpointException)
        {
            throw new TrainingException($"The checkpoint '{Folder}' is damaged: {e.Message}", e);
        }
    }
}

internal static class TrainableWeights
{
    /// <summary>What names of an objective's own parameters begin with.</summary>
    public const string ObjectivePrefix = "objective.";

    /// <summary>All parameters of the groups under their names.</summary>
    /// <exception cref="TrainingException">A name is there twice, or nothing is trained.</exception>
    public static IReadOnlyList<NamedTensor> Of(IReadOnlyList<ParameterGroup> groups)
    {
        NamedTensor[] all = [.. groups.SelectMany(g => g.Parameters).Select(p => new NamedTensor(p.Name, p.Value))];
        if (all.Length == 0)
            throw new TrainingException("There is nothing to train: no parameter group has a parameter.");
        return all.GroupBy(t => t.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice
            ? throw new TrainingException($"The trainable gives the parameter '{twice.Key}' {twice.Count()} times.")
            : all;
    }
}
