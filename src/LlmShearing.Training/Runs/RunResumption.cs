// Taking a run up again: the newest checkpoint that is whole.
using LlmShearing.Training.Optimization;

namespace LlmShearing.Training.Runs;

internal sealed class RunResumption(CheckpointStore checkpoints, string runFolder)
{
    private readonly List<(long Step, string Warning)> _damaged = [];

    /// <summary>State of the newest whole checkpoint; null when the run has none at all. Damaged ones are passed over.</summary>
    /// <exception cref="TrainingException">There are checkpoints, and all are damaged; or the folder cannot be read.</exception>
    public TrainingState? Find()
    {
        IReadOnlyList<long> steps = Guard(() =>
        {
            checkpoints.CleanUp();
            return checkpoints.Steps();
        });
        foreach (long step in steps.Reverse())
        {
            try
            {
                return checkpoints.ReadVerified(step);
            }
            catch (FormatException e)
            {
                _damaged.Add((step, $"The checkpoint '{checkpoints.PathOf(step)}' is damaged: {e.Message.TrimEnd('.')}."));
            }
        }

        return steps.Count == 0
            ? null
            : throw new TrainingException($"No checkpoint of the run in '{runFolder}' can be used. {string.Join(" ", _damaged.Select(d => d.Warning))} Restore one, or give a new folder to begin again.");
    }

    /// <summary>Puts weights, optimizer and data where they were, and damaged checkpoints aside.</summary>
    /// <returns>What to tell the caller about damaged checkpoints.</returns>
    /// <exception cref="TrainingException">The checkpoint has other parameters, or cannot be read after all.</exception>
    /// <exception cref="TokenDataException">The data do not take their state back.</exception>
    public IEnumerable<string> Apply(TrainingState state, IReadOnlyList<ParameterGroup> groups, AdamWOptimizer optimizer, ITrainingData data)
    {
        string folder = checkpoints.PathOf(state.Step);
        try
        {
            TensorFile.Read(Path.Combine(folder, CheckpointStore.Weights), TrainableWeights.Of(groups));
            TensorFile.Read(Path.Combine(folder, CheckpointStore.Optimizer), NamedTensor.List(optimizer.State));
            optimizer.CompleteRestore(state.OptimizerSteps);
        }
        catch (CheckpointException e)
        {
            throw new TrainingException($"The checkpoint '{folder}' cannot be read: {e.Message}", e);
        }

        data.Restore(state.Data);
        return Guard(() => _damaged.ConvertAll(d =>
        {
            // Otherwise it would count as the newest one, and be tried again each time.
            checkpoints.SetAside(d.Step);
            return $"{d.Warning} It was put aside as damaged-{Path.GetFileName(checkpoints.PathOf(d.Step))}; the run goes on from step {state.Step}.";
        }));
    }

    private T Guard<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainingException($"The checkpoints in '{checkpoints.Folder}' cannot be read: {e.Message}", e);
        }
    }
}
