// Reads JSON objects that must be exactly as expected: unknown, missing, duplicate or out-of-range members are errors that name file and member.
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Files;

namespace LlmShearing.Json;

/// <summary>Reads an object of one of our own formats: each member once, of the right kind and range, and none that is unknown.</summary>
public sealed class StrictJson
{
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 16, AllowDuplicateProperties = false };
    private readonly JsonElement _element;
    private readonly string _path;
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    private StrictJson(JsonElement element, string path)
    {
        (_element, _path) = (element, path);
        if (element.ValueKind != JsonValueKind.Object)
            throw new FormatException($"'{(path.Length == 0 ? "the file" : path)}': expected an object, found {Kind(element)}.");
    }

    /// <summary>Opens <paramref name="path"/>, refuses more than <paramref name="maxBytes"/>, and hands the root object to <paramref name="read"/>.</summary>
    public static T ReadFile<T>(string path, long maxBytes, Func<string, Exception?, Exception> error, Func<StrictJson, T> read)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        FileStream stream;
        try
        {
            LfsPointer.Refuse(path);
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw error($"{path} cannot be opened: {e.Message}", e);
        }

        using (stream)
        {
            if (stream.CanSeek && stream.Length > maxBytes)
                throw error($"{path} has {stream.Length} bytes; at most {maxBytes} are accepted. Is it the right file?", null);
            return Read(stream, path, error, read);
        }
    }

    /// <summary>Parses <paramref name="stream"/>, hands the root object to <paramref name="read"/>, and puts the file's name in front of what that complains about.</summary>
    public static T Read<T>(Stream stream, string file, Func<string, Exception?, Exception> error, Func<StrictJson, T> read)
    {
        try
        {
            using JsonDocument document = SafeJson.Document(stream, Options);
            return read(new StrictJson(document.RootElement, ""));
        }
        catch (JsonException e)
        {
            throw error($"{file} is not valid JSON: {e.Message}", e);
        }
        catch (OverflowException e)
        {
            throw error($"{file}: its numbers are too large to add up.", e);
        }
        catch (Exception e) when (e is FormatException or ShearingException)
        {
            throw error($"{file}: {e.Message}", e);
        }
    }

    /// <summary>Whether a member is there.</summary>
    /// <param name="name">Name of the member.</param>
    /// <returns>False when it is absent.</returns>
    public bool Has(string name)
    {
        _known.Add(name);
        return _element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null;
    }

    /// <summary>A whole number.</summary>
    /// <param name="name">Name of the member.</param>
    /// <param name="min">Smallest value.</param>
    /// <param name="max">Largest value.</param>
    /// <returns>The number.</returns>
    public int Int(string name, int min, int max)
    {
        JsonElement value = Required(name);
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= min && number <= max
            ? number
            : throw Error(name, $"expected a whole number from {min} to {max}, found {Kind(value)}");
    }

    /// <summary>A whole number.</summary>
    /// <param name="name">Name of the member.</param>
    /// <param name="min">Smallest value.</param>
    /// <returns>The number.</returns>
    public long Long(string name, long min)
    {
        JsonElement value = Required(name);
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) && number >= min
            ? number
            : throw Error(name, $"expected a whole number from {min}, found {Kind(value)}");
    }

    /// <summary>A finite number.</summary>
    public double Number(string name)
    {
        JsonElement value = Required(name);
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number)
            ? number
            : throw Error(name, $"expected a number, found {Kind(value)}");
    }

    /// <summary>True or false.</summary>
    /// <param name="name">Name of the member.</param>
    /// <returns>The value.</returns>
    public bool Bool(string name)
    {
        JsonElement value = Required(name);
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : throw Error(name, $"expected true or false, found {Kind(value)}");
    }

    /// <summary>A text.</summary>
    /// <param name="name">Name of the member.</param>
    /// <returns>The text.</returns>
    public string Text(string name)
    {
        JsonElement value = Required(name);
        return value.ValueKind == JsonValueKind.String ? value.Text() : throw Error(name, $"expected text, found {Kind(value)}");
    }

    /// <summary>A text, or null.</summary>
    /// <param name="name">Name of the member.</param>
    /// <returns>Null when it is absent or null.</returns>
    public string? TextOrNull(string name) => Has(name) ? Text(name) : null;

    /// <summary>How many entries an array member has.</summary>
    public int Count(string name, int maxCount) => Elements(name, maxCount).Length;

    /// <summary>A list of texts.</summary>
    /// <param name="name">Name of the member.</param>
    /// <param name="maxCount">Most of them.</param>
    /// <returns>The texts.</returns>
    public string[] Texts(string name, int maxCount) =>
        [.. Elements(name, maxCount).Select((e, i) => e.ValueKind == JsonValueKind.String ? e.Text() : throw Error($"{name}[{i}]", $"expected text, found {Kind(e)}"))];

    /// <summary>Whole numbers from 0, or null.</summary>
    public long?[] LongsOrNull(string name, int maxCount) =>
        [.. Elements(name, maxCount).Select((e, i) => e.ValueKind == JsonValueKind.Null ? null
            : e.ValueKind == JsonValueKind.Number && e.TryGetInt64(out long n) && n >= 0 ? (long?)n
            : throw Error($"{name}[{i}]", $"expected a whole number from 0 or null, found {Kind(e)}"))];

    /// <summary>An object member whose members are all text.</summary>
    public Dictionary<string, string> TextMap(string name)
    {
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        StrictJson inner = Object(name);
        foreach (JsonProperty member in inner._element.EnumerateObject())
            map[member.Name] = inner.Text(member.Name);
        return map;
    }

    /// <summary>All members of this object, whatever their names, which must be finite numbers.</summary>
    public Dictionary<string, double> Numbers()
    {
        var map = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (JsonProperty member in _element.EnumerateObject())
            map[member.Name] = member.Value.ValueKind == JsonValueKind.Number && member.Value.TryGetDouble(out double number) && double.IsFinite(number)
                ? number
                : throw Error(member.Name, $"expected a number, found {Kind(member.Value)}");
        return map;
    }

    /// <summary>An object member as it is, for members that are passed on or compared as a whole.</summary>
    public JsonObject Node(string name) =>
        Required(name) is { ValueKind: JsonValueKind.Object } value ? JsonObject.Create(value.Clone())! : throw Error(name, $"expected an object, found {Kind(Required(name))}");

    /// <summary>An object within.</summary>
    /// <param name="name">Name of the member.</param>
    /// <returns>To be read like this one.</returns>
    public StrictJson Object(string name) => new(Required(name), Join(name));

    /// <summary>The objects of an array member.</summary>
    public IReadOnlyList<StrictJson> Objects(string name, int maxCount) =>
        [.. Elements(name, maxCount).Select((e, i) => new StrictJson(e, $"{Join(name)}[{i}]"))];

    /// <summary>A list of whole numbers.</summary>
    /// <param name="name">Name of the member.</param>
    /// <param name="maxCount">Most of them.</param>
    /// <returns>The numbers.</returns>
    public int[] Ints(string name, int maxCount) =>
        [.. Elements(name, maxCount).Select((e, i) => e.ValueKind == JsonValueKind.Number && e.TryGetInt32(out int n) ? n : throw Error($"{name}[{i}]", $"expected a whole number, found {Kind(e)}"))];

    /// <summary>An array of arrays of numbers, in which infinities and not-a-number are text. Lengths are checked before anything is allocated for them.</summary>
    public double[][] Rows(string name, int rowCount, Func<int, int> rowLength)
    {
        JsonElement[] rows = Elements(name, rowCount);
        if (rows.Length != rowCount)
            throw Error(name, $"expected {rowCount} rows, found {rows.Length}");
        for (int r = 0; r < rowCount; r++)
            if (rows[r].ValueKind != JsonValueKind.Array || rows[r].GetArrayLength() != rowLength(r))
                throw Error($"{name}[{r}]", $"expected {rowLength(r)} numbers, found {Kind(rows[r])}");
        return [.. rows.Select((row, r) => row.EnumerateArray().Select((e, i) => Number(e, $"{name}[{r}][{i}]")).ToArray())];
    }

    /// <summary>To be called last: refuses members that nobody asked for.</summary>
    public void End()
    {
        foreach (JsonProperty member in _element.EnumerateObject())
            if (!_known.Contains(member.Name))
                throw Error(member.Name, $"is not known here. Remove it or correct its name; known: {string.Join(", ", _known.Order(StringComparer.Ordinal))}");
    }

    /// <summary>The error for a member.</summary>
    /// <param name="name">Name of the member.</param>
    /// <param name="problem">What is wrong.</param>
    /// <returns>The exception, to be thrown.</returns>
    public FormatException Error(string name, string problem) => new($"'{Join(name)}': {problem}.");

    /// <summary>A number as JSON: what JSON has no number for is text.</summary>
    public static void WriteNumber(Utf8JsonWriter writer, double value)
    {
        if (double.IsFinite(value))
            writer.WriteNumberValue(value);
        else
            writer.WriteStringValue(double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf");
    }

    private static string Kind(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Array)
            return $"an array of {element.GetArrayLength()}";
        if (element.ValueKind == JsonValueKind.Object)
            return "an object";
        string text = element.GetRawText();
        return text.Length <= 40 ? text : text[..37] + "...";
    }

    private JsonElement Required(string name) =>
        Has(name) ? _element.GetProperty(name) : throw Error(name, "is missing");

    private JsonElement[] Elements(string name, int maxCount)
    {
        JsonElement value = Required(name);
        if (value.ValueKind != JsonValueKind.Array)
            throw Error(name, $"expected an array, found {Kind(value)}");
        return value.GetArrayLength() <= maxCount
            ? [.. value.EnumerateArray()]
            : throw Error(name, string.Create(CultureInfo.InvariantCulture, $"expected at most {maxCount} entries, found {value.GetArrayLength()}"));
    }

    private double Number(JsonElement element, string name)
    {
        if (element.ValueKind == JsonValueKind.Number && element.TryGetDouble(out double value) && double.IsFinite(value))
            return value;
        return (element.ValueKind == JsonValueKind.String ? element.Text() : null) switch
        {
            "inf" => double.PositiveInfinity,
            "-inf" => double.NegativeInfinity,
            "nan" => double.NaN,
            _ => throw Error(name, $"expected a number or \"inf\", \"-inf\" or \"nan\", found {Kind(element)}"),
        };
    }

    private string Join(string name) => _path.Length == 0 ? name : $"{_path}.{name}";
}
