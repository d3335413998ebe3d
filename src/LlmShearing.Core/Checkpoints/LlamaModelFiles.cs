// The short way from a folder to a model and back. Extensions, so that the model knows nothing of files.
using LlmShearing.Checkpoints;
using static TorchSharp.torch;

namespace LlmShearing;

/// <summary><c>LlamaModel.Load(folder)</c> and <c>model.Save(folder)</c>.</summary>
public static class LlamaModelFiles
{
    /// <param name="model">The model to save.</param>
    extension(LlamaModel model)
    {
        /// <summary>Loads a Hugging Face folder into memory.</summary>
        /// <param name="folder">Folder with config.json and safetensors weights, in one file or several.</param>
        /// <param name="dtype">Type of the weights in memory; null = float32.</param>
        /// <param name="device">Where the weights go; null = CPU.</param>
        /// <param name="progress">Receives bytes read of all stored bytes; may be null.</param>
        /// <param name="cancellationToken">Checked about every 4 MiB.</param>
        /// <returns>A model owned by the caller; no parameter requires gradients.</returns>
        /// <exception cref="CheckpointException">The folder is not a complete LLaMA.</exception>
        public static LlamaModel Load(
            string folder,
            ScalarType? dtype = null,
            Device? device = null,
            IProgress<ShearingProgress>? progress = null,
            CancellationToken cancellationToken = default)
        {
            using LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(folder);
            return LlamaModelLoader.Load(checkpoint, new LlamaLoadOptions { Dtype = dtype ?? ScalarType.Float32, Device = device }, progress, cancellationToken);
        }

        /// <summary>Saves the model as a Hugging Face folder, which appears under its name only when it is complete.</summary>
        /// <param name="folder">Target folder; must not exist, or be empty, unless the options allow overwriting.</param>
        /// <param name="dtype">Type to store; null = <see cref="LlamaConfig.StoredDtype"/> of the configuration, that is, as the model was stored where it was loaded from.</param>
        /// <param name="options">Shards, overwriting, files to carry over; null = defaults.</param>
        /// <param name="progress">Receives bytes written; may be null.</param>
        /// <param name="cancellationToken">Checked at every write; nothing is left when it fires.</param>
        /// <exception cref="CheckpointException">The target exists, a file cannot be written, or a value does not fit the stored type.</exception>
        public void Save(
            string folder,
            ScalarType? dtype = null,
            LlamaCheckpointWriterOptions? options = null,
            IProgress<ShearingProgress>? progress = null,
            CancellationToken cancellationToken = default) =>
            LlamaModelSaver.Save(model, folder, dtype, options, progress, cancellationToken);
    }
}
