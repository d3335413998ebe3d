using System.Text.Json.Nodes;
using LlmShearing.Training.Optimization;

namespace LlmShearing.Training.Steps;

/// <summary>
/// What a trainer trains: a model in which some parameters require gradients. The whole model, adapters on a frozen model, or weights together with masks.
/// Used by one thread at a time.
/// </summary>
public interface ITrainable
{
    /// <summary>The model that is run. Parameters that do not require gradients cost neither gradients nor optimizer state.</summary>
    LlamaModel Model { get; }

    /// <summary>What the optimizer moves, in groups of equal settings.</summary>
    /// <param name="options">Settings of the run.</param>
    /// <returns>Groups in a fixed order; every parameter in one of them.</returns>
    IReadOnlyList<ParameterGroup> Groups(OptimizerSettings options);

    /// <summary>Called before the forward pass of each micro-batch of training; randomness (dropout, masks) derives from the key, so that a block run twice draws the same.
    /// Also called for each batch of an evaluation, after <see cref="BeginEvaluation"/>: gates are the deterministic ones then, and <see cref="AbandonMicroBatch"/> follows.</summary>
    /// <param name="key">Which micro-batch.</param>
    /// <returns>
    /// Gates for this micro-batch, or null; they stay the trainable's, and tensors made here live until after <see cref="EndMicroBatch"/>. Gates that require
    /// gradients must be leaves, and have their gradients when <see cref="EndMicroBatch"/> is called.
    /// </returns>
    LlamaGates? BeginMicroBatch(MicroBatchKey key) => null;

    /// <summary>Called after the backward pass of each micro-batch. May add gradients of its own.</summary>
    /// <param name="key">Which micro-batch.</param>
    /// <param name="scale">Weight of this micro-batch in the step; the weights of a step add up to 1.</param>
    /// <returns>Value of an additional loss, not scaled; 0 when there is none.</returns>
    double EndMicroBatch(MicroBatchKey key, double scale) => 0;

    /// <summary>Called instead of <see cref="EndMicroBatch"/> after <see cref="BeginMicroBatch"/> when the micro-batch failed, was cancelled or belongs to an evaluation: undo what that switched on.</summary>
    void AbandonMicroBatch()
    {
    }

    /// <summary>Numbers about the step that was just computed, for logs: sparsity, multipliers. Asked once after each update.</summary>
    /// <returns>Values by name; slashes make groups.</returns>
    IReadOnlyDictionary<string, double> Metrics() => new Dictionary<string, double>();

    /// <summary>Values whose distribution is worth a look, for logs: mask scores of a layer. Asked at each evaluation.</summary>
    /// <returns>Values by name; slashes make groups.</returns>
    IReadOnlyDictionary<string, IReadOnlyList<double>> Distributions() => new Dictionary<string, IReadOnlyList<double>>();

    /// <summary>Switches between training (dropout, sampled masks) and evaluation until the result is disposed.</summary>
    /// <returns>Disposing it goes back to training.</returns>
    IDisposable BeginEvaluation();

    /// <summary>What identifies this trainable: shape of the model, what is trained, rank. A run resumes only with equal descriptions.</summary>
    /// <returns>A small JSON object.</returns>
    JsonObject Describe();

    /// <summary>Writes what was trained in the form that others load: a Hugging Face folder, or an adapter folder.</summary>
    /// <param name="folder">Appears complete or not at all.</param>
    /// <param name="overwrite">Whether a folder that is there may be replaced.</param>
    /// <param name="cancellationToken">Checked while writing.</param>
    /// <exception cref="CheckpointException">The folder cannot be written.</exception>
    void Export(string folder, bool overwrite = false, CancellationToken cancellationToken = default);
}
