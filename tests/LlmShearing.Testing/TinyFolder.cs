// Small checkpoint folders for tests of everything that reads one.
using System.Collections.Immutable;
using LlmShearing.Checkpoints;
using LlmShearing.Model;

namespace LlmShearing.Testing;

/// <summary>Writes a model as a folder with config.json and one float32 weight file, without the library's own exporter.</summary>
public static class TinyFolder
{
    /// <summary>Writes the folder and returns its path.</summary>
    public static string Write(LlamaModel model, string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), LlamaConfigJson.ToJson(model.Config).ToJsonString());
        SafetensorsWriter.WriteAll(
            Path.Combine(folder, "model.safetensors"),
            model.NamedWeights().Select(w => (w.Name, SafetensorsDtype.F32, w.Weight.shape.ToImmutableArray(), (ReadOnlyMemory<byte>)w.Weight.bytes.ToArray())));
        return folder;
    }
}
