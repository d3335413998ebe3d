// Plans as JSON files: ranges for sets, strict reading, atomic writing.
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmShearing.Files;
using LlmShearing.Json;
using LlmShearing.Shapes;

namespace LlmShearing.Plans;

/// <summary>
/// Reads and writes plans as JSON. Sets are ranges ("0-3,7"), the source shape is included, members are in snake_case.
/// Reading is strict: an unknown or missing member, an impossible size or an index out of range is an error that names it.
/// </summary>
public static class PruningPlanJson
{
    private const long MaxBytes = 512L * 1024 * 1024;

    // Relaxed escaping keeps paths and names readable; the file is never embedded in HTML.
    internal static readonly JsonWriterOptions WriterOptions = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes a plan as indented UTF-8 JSON. The same plan always gives the same bytes.</summary>
    /// <param name="plan">A valid plan.</param>
    /// <param name="stream">Where to; left open.</param>
    /// <exception cref="PlanException">The plan is not valid.</exception>
    public static void Write(PruningPlan plan, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(stream);
        plan.Validate();
        using (var writer = new Utf8JsonWriter(stream, WriterOptions))
            Write(writer, plan);
        stream.WriteByte((byte)'\n');
    }

    /// <summary>Reads a plan.</summary>
    /// <param name="stream">UTF-8 JSON; left open.</param>
    /// <param name="name">What to call it in errors, for example the file's path.</param>
    /// <returns>A valid plan.</returns>
    /// <exception cref="PlanException">It is not a plan, or not a valid one.</exception>
    public static PruningPlan Read(Stream stream, string name = "plan")
    {
        ArgumentNullException.ThrowIfNull(stream);
        return StrictJson.Read(stream, name, Problem, Read);
    }

    /// <summary>Writes a plan to a file, replacing it only when everything is written.</summary>
    /// <param name="plan">A valid plan.</param>
    /// <param name="path">File; its folder is created when absent.</param>
    /// <exception cref="PlanException">The plan is not valid, or the file cannot be written.</exception>
    public static void Save(PruningPlan plan, string path)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentException.ThrowIfNullOrEmpty(path);
        plan.Validate();
        try
        {
            AtomicFile.Write(path, stream => Write(plan, stream));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PlanException($"{path} cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Reads a plan from a file.</summary>
    /// <param name="path">File of at most 512 MiB.</param>
    /// <returns>A valid plan.</returns>
    /// <exception cref="PlanException">The file cannot be read, is not a plan, or not a valid one.</exception>
    public static PruningPlan Load(string path) => StrictJson.ReadFile(path, MaxBytes, Problem, Read);

    private static PlanException Problem(string message, Exception? inner) => new(message, inner);

    private static void Write(Utf8JsonWriter writer, PruningPlan plan)
    {
        writer.WriteStartObject();
        writer.WriteNumber("version", plan.Version);
        writer.WritePropertyName("source");
        ShapeJson.Write(writer, plan.Source);
        writer.WriteString("hidden", plan.Hidden.ToString());
        writer.WriteStartArray("layers");
        foreach (LayerPlan layer in plan.Layers)
        {
            writer.WriteStartObject();
            writer.WriteNumber("source_index", layer.SourceIndex);
            writer.WriteString("query_heads", layer.QueryHeads.ToString());
            writer.WriteString("intermediate", layer.Intermediate.ToString());
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        if (plan.Provenance is not null)
            Write(writer, plan.Provenance);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, PlanProvenance provenance)
    {
        void Text(string name, string? value)
        {
            if (value is not null)
                writer.WriteString(name, value);
        }

        writer.WriteStartObject("provenance");
        Text("scorer", provenance.Scorer);
        Text("strategy", provenance.Strategy);
        Text("model", provenance.Model);
        Text("calibration_hash", provenance.CalibrationHash);
        Text("library", provenance.Library);
        if (provenance.RemovedBlocks is not null)
        {
            writer.WriteStartArray("removed_blocks");
            foreach (int block in provenance.RemovedBlocks)
                writer.WriteNumberValue(block);
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }

    private static PruningPlan Read(StrictJson json)
    {
        // The version comes first: members of a newer format must not be reported as typing errors.
        int version = json.Int("version", 1, int.MaxValue);
        if (version > PruningPlan.CurrentVersion)
            throw new FormatException($"the plan has format version {version}; this library reads up to {PruningPlan.CurrentVersion}. Use a newer release of the library.");
        LlamaShape source = ShapeJson.Read(json.Object("source"));
        IndexSet hidden = Set(json, "hidden", source.HiddenSize);
        LayerPlan[] layers = [.. json.Objects("layers", source.Layers.Length).Select(layer => Layer(layer, source))];
        PlanProvenance? provenance = json.Has("provenance") ? Provenance(json.Object("provenance")) : null;
        json.End();
        var plan = new PruningPlan { Version = version, Source = source, Hidden = hidden, Layers = [.. layers], Provenance = provenance };
        plan.Validate();
        return plan;
    }

    private static LayerPlan Layer(StrictJson json, LlamaShape source)
    {
        int index = json.Int("source_index", 0, source.Layers.Length - 1);
        var layer = new LayerPlan(
            index,
            Set(json, "query_heads", source.Layers[index].QueryHeads),
            Set(json, "intermediate", source.Layers[index].IntermediateSize));
        json.End();
        return layer;
    }

    private static PlanProvenance Provenance(StrictJson json)
    {
        var provenance = new PlanProvenance(json.TextOrNull("scorer"), json.TextOrNull("strategy"))
        {
            Model = json.TextOrNull("model"),
            CalibrationHash = json.TextOrNull("calibration_hash"),
            Library = json.TextOrNull("library"),
            RemovedBlocks = json.Has("removed_blocks") ? json.Ints("removed_blocks", ShapeRules.MaxLayers) : null,
        };
        json.End();
        return provenance;
    }

    // The source size bounds the set before its ranges are expanded: "0-2000000000" is refused, not allocated.
    private static IndexSet Set(StrictJson json, string name, int size)
    {
        string text = json.Text(name);
        try
        {
            return IndexSet.Parse(text, size);
        }
        catch (PlanException e)
        {
            throw json.Error(name, e.Message.TrimEnd('.'));
        }
    }
}
