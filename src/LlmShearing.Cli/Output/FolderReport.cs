// What a written folder holds, for the verbs that write one.
using System.Text.Json.Nodes;
using LlmShearing.Cli.Terminal;
using LlmShearing.Files;

namespace LlmShearing.Cli.Output;

internal static class FolderReport
{
    public static JsonObject Json(string folder, LlamaConfig written, double seconds) => new()
    {
        ["out"] = folder,
        ["layers"] = written.Shape.Layers.Length,
        ["uniform"] = written.Shape.IsUniform,
        ["parameters"] = written.Shape.ParameterCount,
        ["dtype"] = written.StoredDtype,
        ["weight_bytes"] = Bytes(folder),
        ["files"] = Weights(folder).Count(),
        ["seconds"] = seconds,
    };

    public static string Line(ModelOutput output, double seconds) => Line(output.Folder, output.IsCheck, seconds);

    public static string Line(string folder, bool complete, double seconds) => complete
        ? $"{folder} was complete already: {Numbers.Bytes(Bytes(folder))} of weights, compared in {Numbers.Significant(seconds, 3)} s"
        : $"written to {folder}: {Numbers.Bytes(Bytes(folder))} of weights in {Numbers.Significant(seconds, 3)} s";

    private static long Bytes(string folder) => Weights(folder).Sum(FileFacts.Length);

    private static IEnumerable<string> Weights(string folder) => Directory.EnumerateFiles(folder, "*.safetensors");
}
