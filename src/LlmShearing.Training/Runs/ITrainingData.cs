using System.Text.Json.Nodes;
using LlmShearing.Training.Steps;

namespace LlmShearing.Training.Runs;

/// <summary>
/// A sequence of micro-batches that can be left and taken up again at the same place. Used by one thread at a time. Its state is small
/// whatever the number of samples given out.
/// </summary>
public interface ITrainingData : IDisposable
{
    /// <summary>Micro-batches of one pass over the data; null when there is no such number.</summary>
    long? BatchesPerEpoch => null;

    /// <summary>Share of each domain in the samples to come; null when there are no domains.</summary>
    IReadOnlyDictionary<string, double>? Proportions => null;

    /// <summary>Samples of each domain given out so far; null when they are not counted.</summary>
    IReadOnlyDictionary<string, long>? Drawn => null;

    /// <summary>The next micro-batch.</summary>
    /// <param name="cancellationToken">Checked while waiting for data.</param>
    /// <returns>The micro-batch; null when the data are used up.</returns>
    /// <exception cref="TokenDataException">The data are damaged; the message names the file and the row.</exception>
    TrainingBatch? NextBatch(CancellationToken cancellationToken = default);

    /// <summary>Tells the data the losses of an evaluation, so that its mixture may adapt. Does nothing by default.</summary>
    /// <param name="losses">Mean loss of each evaluation set in nats per token, by name.</param>
    void Update(IReadOnlyDictionary<string, double> losses)
    {
    }

    /// <summary>What identifies the data and their order: files with sizes, seed, sequence length, proportions. A run resumes only with equal descriptions.</summary>
    /// <returns>A small JSON object.</returns>
    JsonObject Describe();

    /// <summary>The place after the last micro-batch given out, whatever was read ahead.</summary>
    /// <returns>A small JSON object for a training checkpoint.</returns>
    JsonObject Save();

    /// <summary>Goes to a saved place.</summary>
    /// <param name="state">What <see cref="Save"/> returned of data with the same description.</param>
    /// <exception cref="TokenDataException">The state is damaged or belongs to other data; nothing is changed then.</exception>
    void Restore(JsonObject state);
}
