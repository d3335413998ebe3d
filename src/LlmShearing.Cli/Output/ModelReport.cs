// A checkpoint folder described: shape, parameters, formats, files.
using System.Globalization;
using System.Text.Json.Nodes;
using LlmShearing.Checkpoints;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Terminal;
using LlmShearing.Files;
using Spectre.Console;

namespace LlmShearing.Cli.Output;

internal static class ModelReport
{
    public static JsonObject Json(LlamaCheckpoint checkpoint)
    {
        (LlamaConfig config, LlamaShape shape) = (checkpoint.Config, checkpoint.Config.Shape);
        var json = new JsonObject
        {
            ["model"] = ModelFolder.Name(checkpoint.Folder),
            ["model_type"] = config.ModelType,
            ["parameters"] = shape.ParameterCount,
            ["dtype"] = config.StoredDtype,
            ["stored_dtypes"] = new JsonArray([.. Dtypes(checkpoint).Select(d => (JsonNode?)JsonValue.Create(d))]),
            ["weight_bytes"] = checkpoint.TotalBytes,
            ["files"] = new JsonArray([.. checkpoint.Files.Select(JsonNode (f) => new JsonObject { ["name"] = Path.GetFileName(f), ["bytes"] = FileFacts.Length(f) })]),
            ["tensors"] = checkpoint.Tensors.Count,
            ["ignored_tensors"] = new JsonArray([.. checkpoint.Report.Ignored.Select(n => (JsonNode?)JsonValue.Create(n))]),
            ["vocab_size"] = shape.VocabSize,
            ["hidden_size"] = shape.HiddenSize,
            ["head_dim"] = shape.HeadDim,
            ["layers"] = shape.Layers.Length,
            ["uniform"] = shape.IsUniform,
            ["tied_embeddings"] = shape.TiedEmbeddings,
            ["context_length"] = config.MaxPositionEmbeddings,
            ["rope_theta"] = config.RopeTheta,
            ["rope_type"] = RopeName(config),
            ["rms_norm_eps"] = config.RmsNormEps,
        };
        if (shape.IsUniform)
        {
            json["query_heads"] = shape.Layers[0].QueryHeads;
            json["key_value_heads"] = shape.Layers[0].KeyValueHeads;
            json["intermediate_size"] = shape.Layers[0].IntermediateSize;
        }

        json["blocks"] = new JsonArray([.. shape.Layers.Select(JsonNode (l, i) => new JsonObject
        {
            ["query_heads"] = l.QueryHeads,
            ["key_value_heads"] = l.KeyValueHeads,
            ["intermediate_size"] = l.IntermediateSize,
            ["parameters"] = shape.BlockParameterCount(i),
        })]);
        return json;
    }

    public static void Print(IAnsiConsole console, LlamaCheckpoint checkpoint)
    {
        (LlamaConfig config, LlamaShape shape) = (checkpoint.Config, checkpoint.Config.Shape);
        var table = new Table().Border(TableBorder.None).HideHeaders().AddColumns("", "");
        void Row(string name, string value) => table.AddRow(new Text(name), new Text(value));
        Row("model", $"{ModelFolder.Name(checkpoint.Folder)} ({config.ModelType})");
        Row("parameters", Numbers.Count(shape.ParameterCount));
        Row("blocks", Text(shape.Layers.Length) + (shape.IsUniform ? $", {Numbers.Count(shape.BlockParameterCount(0))} parameters each" : ", of different shapes"));
        Row("hidden size", Text(shape.HiddenSize));
        Row("query heads", Range(shape, l => l.QueryHeads) + $" of {shape.HeadDim} channels");
        Row("key/value heads", Range(shape, l => l.KeyValueHeads));
        Row("feed-forward", Range(shape, l => l.IntermediateSize));
        Row("vocabulary", Text(shape.VocabSize) + (shape.TiedEmbeddings ? ", tied embeddings" : ""));
        Row("biases", string.Join(", ", new[] { shape.QueryKeyValueBias ? "q, k, v" : null, shape.OutputBias ? "o" : null, shape.MlpBias ? "gate, up, down" : null }.OfType<string>().DefaultIfEmpty("none")));
        Row("context", $"{Text(config.MaxPositionEmbeddings)} tokens, rope {RopeName(config)}, theta {Numbers.Significant(config.RopeTheta)}");
        Row("stored as", string.Join(", ", Dtypes(checkpoint)));
        Row("files", string.Join(", ", checkpoint.Files.Select(f => $"{Path.GetFileName(f)} ({Numbers.Bytes(FileFacts.Length(f))})")));
        if (!checkpoint.Report.Ignored.IsEmpty)
            Row("ignored", string.Join(", ", checkpoint.Report.Ignored));
        console.Write(table);
    }

    private static string RopeName(LlamaConfig config) => config.RopeScaling.Type.ToString().ToLowerInvariant();

    private static IEnumerable<string> Dtypes(LlamaCheckpoint checkpoint) =>
        checkpoint.Tensors.Values.Select(t => t.Dtype.ToString()).Distinct().Order(StringComparer.Ordinal);

    private static string Range(LlamaShape shape, Func<LayerShape, int> size)
    {
        int[] sizes = [.. shape.Layers.Select(size)];
        return sizes.Min() == sizes.Max() ? Text(sizes[0]) : $"{sizes.Min()} to {sizes.Max()}";
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
