// The one door for JSON from outside: broken text (half a surrogate pair, bytes that are not UTF-8) is found when a document comes in, with the
// member's place, as a JsonException like any other fault of the syntax. The platform's own readers find it only when the text is asked for.
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;

namespace LlmShearing.Json;

#pragma warning disable RS0030 // The raw calls are kept out everywhere but here.
/// <summary>System.Text.Json for files from anywhere: texts that are not valid Unicode and nesting without end become a <see cref="JsonException"/>.</summary>
public static class SafeJson
{
    private const int LongestName = 80;

    // Below the 64 levels that .NET writes: what was read may become part of something else that is written.
    private const int DeepestNesting = 48;

    private const string Broken = "the text is broken: it has half a surrogate pair or bytes that are not UTF-8. Write it again with whole characters.";
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <exception cref="JsonException">It is not JSON, or a text or a member's name in it is broken.</exception>
    public static JsonDocument Document(ReadOnlyMemory<byte> utf8, JsonDocumentOptions options = default)
    {
        options = Bounded(options);
        Check(utf8.Span, options);
        return JsonDocument.Parse(utf8, options);
    }

    /// <exception cref="JsonException">It is not JSON, or a text or a member's name in it is broken.</exception>
    public static JsonDocument Document(ReadOnlySpan<char> text, JsonDocumentOptions options = default) => Document(Bytes(text), options);

    /// <summary>Reads the stream to its end; a byte order mark is left out.</summary>
    /// <exception cref="JsonException">It is not JSON, or a text or a member's name in it is broken.</exception>
    public static JsonDocument Document(Stream stream, JsonDocumentOptions options = default)
    {
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        ReadOnlyMemory<byte> bytes = copy.ToArray();
        return Document(bytes.Span.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes, options);
    }

    /// <exception cref="JsonException">It is not JSON, or a text or a member's name in it is broken.</exception>
    public static JsonNode? Node(ReadOnlySpan<byte> utf8, JsonDocumentOptions options = default)
    {
        options = Bounded(options);
        Check(utf8, options);
        return JsonNode.Parse(utf8, documentOptions: options);
    }

    /// <exception cref="JsonException">It is not JSON, or a text or a member's name in it is broken.</exception>
    public static JsonNode? Node(ReadOnlySpan<char> text, JsonDocumentOptions options = default) => Node(Bytes(text), options);

    /// <summary>The root of a document that outlives it.</summary>
    /// <exception cref="JsonException">It is not JSON, or a text or a member's name in it is broken.</exception>
    public static JsonElement Element(ReadOnlySpan<char> text, JsonDocumentOptions options = default)
    {
        using JsonDocument document = Document(text, options);
        return document.RootElement.Clone();
    }

    /// <summary>The elements of an array, read as they are asked for.</summary>
    /// <exception cref="JsonException">It is not a JSON array, or a text or a member's name in it is broken; the message has the element's number from 0.</exception>
    public static IEnumerable<JsonElement> Elements(Stream stream)
    {
        long index = 0;
        foreach (JsonElement element in JsonSerializer.DeserializeAsyncEnumerable<JsonElement>(stream).ToBlockingEnumerable())
        {
            try
            {
                Check(System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(element));
            }
            catch (JsonException e)
            {
                throw new JsonException($"record {index}, {e.Message}", e);
            }

            index++;
            yield return element;
        }
    }

    /// <summary>Reads what the type says; a member that occurs twice is an error.</summary>
    /// <exception cref="JsonException">It is not JSON, does not fit the type, or a text or a member's name in it is broken.</exception>
    public static T? Read<T>(ReadOnlyMemory<byte> utf8, JsonTypeInfo<T> type)
    {
        using JsonDocument document = Document(utf8, new JsonDocumentOptions { AllowDuplicateProperties = false });
        return document.RootElement.Deserialize(type);
    }

    /// <summary>The text of an element.</summary>
    /// <exception cref="JsonException">It is something else, or broken.</exception>
    public static string Text(this JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.String)
            throw new JsonException($"expected text, found {element.ValueKind.ToString().ToLowerInvariant()}.");
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException(Broken, e);
        }
    }

    /// <summary>The text or the member's name that <paramref name="reader"/> is at.</summary>
    /// <exception cref="JsonException">It is broken.</exception>
    public static string Text(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException(Broken, e);
        }
    }

    /// <summary>Whether the text or the member's name that <paramref name="reader"/> is at is this one; a broken one is not.</summary>
    public static bool Is(ref Utf8JsonReader reader, ReadOnlySpan<byte> utf8)
    {
        try
        {
            return reader.ValueTextEquals(utf8);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>Copies the text that <paramref name="reader"/> is at.</summary>
    /// <param name="reader">At a text.</param>
    /// <param name="destination">At least as long as the text's bytes.</param>
    /// <param name="written">Characters copied.</param>
    /// <returns>False when it is broken.</returns>
    public static bool TryCopy(ref Utf8JsonReader reader, Span<char> destination, out int written)
    {
        try
        {
            written = reader.CopyString(destination);
            return true;
        }
        catch (InvalidOperationException)
        {
            written = 0;
            return false;
        }
    }

    /// <summary>Looks at every text and every member's name.</summary>
    /// <exception cref="JsonException">It is not JSON, or one of them is broken; the message has its place, as "a.b[2]".</exception>
    public static void Check(ReadOnlySpan<byte> utf8, JsonDocumentOptions options = default)
    {
        var reading = new JsonReaderOptions { AllowTrailingCommas = options.AllowTrailingCommas, CommentHandling = options.CommentHandling, MaxDepth = options.MaxDepth };
        var reader = new Utf8JsonReader(utf8, reading);
        while (reader.Read())
            if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String && IsBroken(ref reader))
                throw new JsonException($"{Place(utf8, reading, reader.TokenStartIndex)}: {Broken}");
    }

    private static JsonDocumentOptions Bounded(JsonDocumentOptions options) => options.MaxDepth == 0 ? options with { MaxDepth = DeepestNesting } : options;

    private static bool IsBroken(ref Utf8JsonReader reader)
    {
        if (!Utf8.IsValid(reader.ValueSpan))
            return true;
        if (!reader.ValueIsEscaped || reader.ValueSpan.IndexOf("\\u"u8) < 0)
            return false;
        try
        {
            reader.GetString();
            return false;
        }
        catch (InvalidOperationException)
        {
            return true;
        }
    }

    // Read again up to the broken token, this time with the names on the way: only a failure pays for them.
    private static string Place(ReadOnlySpan<byte> utf8, JsonReaderOptions options, long start)
    {
        var reader = new Utf8JsonReader(utf8, options);
        // One entry for each object or array that is open: the place in it, and for an array how many elements began.
        var places = new List<string>();
        var counts = new List<int>();
        while (reader.Read())
        {
            bool here = reader.TokenStartIndex == start;
            if (reader.TokenType is JsonTokenType.EndObject or JsonTokenType.EndArray)
            {
                places.RemoveAt(places.Count - 1);
                counts.RemoveAt(counts.Count - 1);
                continue;
            }

            if (reader.TokenType == JsonTokenType.PropertyName)
            {
                if (here)
                    return places.Count == 1 ? "a member's name" : $"a member's name in '{Join(places[..^1])}'";
                string name = reader.GetString()!;
                places[^1] = "." + (name.Length <= LongestName ? name : name[..LongestName] + "...");
                continue;
            }

            if (counts.Count > 0 && counts[^1] >= 0)
                places[^1] = $"[{counts[^1]++}]";
            if (here)
                return $"'{Join(places)}'";
            if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
            {
                places.Add("");
                counts.Add(reader.TokenType == JsonTokenType.StartArray ? 0 : -1);
            }
        }

        return "the file";
    }

    private static string Join(IEnumerable<string> places) => string.Concat(places) is { Length: > 0 } all ? all.TrimStart('.') : "the text";

    private static byte[] Bytes(ReadOnlySpan<char> text)
    {
        try
        {
            byte[] bytes = new byte[Strict.GetByteCount(text)];
            Strict.GetBytes(text, bytes);
            return bytes;
        }
        catch (EncoderFallbackException e)
        {
            throw new JsonException(Broken, e);
        }
    }
}
