// Opening the model that the user named: resident, or streamed block by block.
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Terminal;
using LlmShearing.Devices;
using LlmShearing.Execution;
using LlmShearing.Model;
using LlmShearing.Tokenizers;
using static TorchSharp.torch;

namespace LlmShearing.Cli.Input;

/// <summary>A model ready to be read; disposing frees it.</summary>
internal sealed class OpenModel(ILlamaSource source, IDisposable owner) : IDisposable
{
    public ILlamaSource Source => source;

    public void Dispose() => owner.Dispose();
}

internal static class ModelFolder
{
    /// <summary>The configuration alone; reads no weights.</summary>
    public static LlamaConfig Config(string folder)
    {
        if (!Directory.Exists(folder))
            throw new UsageException($"There is no folder '{folder}'. Give a Hugging Face folder with config.json and *.safetensors.");
        return LlamaConfigJson.Load(Path.Combine(folder, "config.json"));
    }

    public static OpenModel Open(Invocation run, ModelOptions options) => Open(run, run.Get(options.Folder), options);

    public static OpenModel Open(Invocation run, string folder, ModelOptions options) =>
        Open(run, folder, options.Compute.Read(run), run.Get(options.Stream));

    private static OpenModel Open(Invocation run, string folder, Compute compute, bool stream)
    {
        if (stream)
        {
            TorchProcess.ReturnFreedMemory();   // who streams has little of it
            StreamedLlama streamed = StreamedLlama.Open(folder, compute.Type, compute.Device);
            return new OpenModel(streamed, streamed);
        }

        LlamaModel model = LlamaModel.Load(folder, compute.Type, compute.Device, progress: run.Progress, cancellationToken: run.Cancellation);
        return new OpenModel(model, model);
    }

    /// <summary>The folder's own name, for provenance: no path of this machine goes into files.</summary>
    public static string Name(string folder) => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));

    public static ITokenizer Tokenizer(string folder) => TokenizerLoader.Load(folder);
}
