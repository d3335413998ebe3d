// The data of a training run, opened: micro-batches to train on, held-out sets, and what must be closed afterwards.
using LlmShearing.Training.Runs;

namespace LlmShearing.Cli.Input;

/// <param name="Data">Micro-batches.</param>
/// <param name="RowLength">Tokens of a row; the longest row of instruction data.</param>
/// <param name="HeldOut">Evaluation sets; empty when none were named.</param>
/// <param name="Owned">What the data read from.</param>
internal sealed record TrainingInput(
    ITrainingData Data, int RowLength, IReadOnlyList<EvaluationSet> HeldOut, IReadOnlyList<IDisposable> Owned) : IDisposable
{
    public void Dispose()
    {
        Data.Dispose();
        foreach (IDisposable owned in Owned)
            owned.Dispose();
    }
}
