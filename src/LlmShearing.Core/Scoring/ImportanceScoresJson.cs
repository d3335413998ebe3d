// Scores as JSON files, so that an expensive scoring run serves many plans.
using System.Collections.Immutable;
using System.Text.Json;
using LlmShearing.Files;
using LlmShearing.Json;
using LlmShearing.Plans;
using LlmShearing.Shapes;

namespace LlmShearing.Scoring;

/// <summary>
/// Reads and writes importance scores as JSON, with the shape they were made for. Infinities are the text "inf" and "-inf";
/// "nan" is allowed only in block windows, where it marks a start that the criterion does not offer. Numbers keep full double precision.
/// </summary>
public static class ImportanceScoresJson
{
    /// <summary>Version of the format written by this library.</summary>
    public const int CurrentVersion = 1;

    private const long MaxBytes = 1024L * 1024 * 1024;

    private static readonly (PruningAxes Axis, string Name)[] Axes =
    [
        (PruningAxes.Hidden, "hidden"),
        (PruningAxes.QueryHeads, "query_heads"),
        (PruningAxes.KeyValueGroups, "key_value_groups"),
        (PruningAxes.Intermediate, "intermediate"),
        (PruningAxes.Attention, "attention"),
        (PruningAxes.Mlp, "mlp"),
        (PruningAxes.Layers, "layers"),
    ];

    /// <summary>Writes scores to a file, replacing it only when everything is written.</summary>
    /// <param name="scores">The scores.</param>
    /// <param name="path">File; its folder is created when absent.</param>
    /// <exception cref="ScoringException">The file cannot be written.</exception>
    public static void Save(ImportanceScores scores, string path)
    {
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            AtomicFile.Write(path, stream => Write(scores, stream));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ScoringException($"{path} cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Reads scores from a file.</summary>
    /// <param name="path">File of at most 1 GiB.</param>
    /// <returns>Scores whose lengths agree with their shape.</returns>
    /// <exception cref="ScoringException">The file cannot be read, or does not hold valid scores; the message names the member.</exception>
    public static ImportanceScores Load(string path) => StrictJson.ReadFile(path, MaxBytes, Problem, Read);

    /// <summary>Writes scores as indented UTF-8 JSON, one line for each row. The same scores always give the same bytes.</summary>
    /// <param name="scores">The scores.</param>
    /// <param name="stream">Where to; left open.</param>
    public static void Write(ImportanceScores scores, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentNullException.ThrowIfNull(stream);
        using (var writer = new Utf8JsonWriter(stream, PruningPlanJson.WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteNumber("version", CurrentVersion);
            writer.WriteString("scorer", scores.Scorer);
            writer.WritePropertyName("source");
            ShapeJson.Write(writer, scores.Source);
            writer.WriteStartObject("axes");
            foreach ((PruningAxes axis, string name) in Axes)
                if (scores.Has(axis))
                    WriteRows(writer, name, scores[axis]);
            writer.WriteEndObject();
            if (!scores.BlockWindows.IsDefault)
                WriteRows(writer, "block_windows", scores.BlockWindows);
            writer.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }

    /// <summary>Reads scores.</summary>
    /// <param name="stream">UTF-8 JSON; left open.</param>
    /// <param name="name">What to call it in errors, for example the file's path.</param>
    /// <returns>Scores whose lengths agree with their shape.</returns>
    /// <exception cref="ScoringException">These are not valid scores; the message names the member.</exception>
    public static ImportanceScores Read(Stream stream, string name = "scores")
    {
        ArgumentNullException.ThrowIfNull(stream);
        return StrictJson.Read(stream, name, Problem, Read);
    }

    private static ScoringException Problem(string message, Exception? inner) => new(message, inner);

    private static void WriteRows(Utf8JsonWriter writer, string name, ImmutableArray<ImmutableArray<double>> rows)
    {
        writer.WriteStartArray(name);
        foreach (ImmutableArray<double> row in rows)
        {
            // A row on one line: thousands of numbers one below the other help nobody.
            using var buffer = new MemoryStream();
            using (var line = new Utf8JsonWriter(buffer))
            {
                line.WriteStartArray();
                foreach (double value in row)
                    StrictJson.WriteNumber(line, value);
                line.WriteEndArray();
            }

            writer.WriteRawValue(buffer.GetBuffer().AsSpan(0, (int)buffer.Length), skipInputValidation: true);
        }

        writer.WriteEndArray();
    }

    private static ImportanceScores Read(StrictJson json)
    {
        int version = json.Int("version", 1, int.MaxValue);
        if (version > CurrentVersion)
            throw new FormatException($"the scores have format version {version}; this library reads up to {CurrentVersion}. Use a newer release of the library.");
        string scorer = json.Text("scorer");
        if (scorer.Length == 0)
            throw json.Error("scorer", "is empty");
        LlamaShape source = ShapeJson.Read(json.Object("source"));
        var scores = new ImportanceScores(source, scorer);
        StrictJson axes = json.Object("axes");
        foreach ((PruningAxes axis, string name) in Axes)
            if (axes.Has(name))
                scores = scores.With(axis, axes.Rows(name, ImportanceScores.IsPerLayer(axis) ? source.Layers.Length : 1, row => scores.RowLength(axis, row)));
        axes.End();
        if (json.Has("block_windows"))
        {
            int blocks = source.Layers.Length;
            double[][] windows = json.Rows("block_windows", json.Count("block_windows", blocks), row => blocks - row);
            scores = scores with { BlockWindows = [.. windows.Select(w => w.ToImmutableArray())] };
        }

        json.End();
        return scores;
    }
}
