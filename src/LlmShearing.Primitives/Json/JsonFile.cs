// Reads the small JSON files of a checkpoint folder strictly: bounded size, valid UTF-8, no duplicate keys, an object at the top.
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Files;

namespace LlmShearing.Json;

/// <summary>Reads the small JSON files of a folder strictly: bounded size, valid UTF-8, no duplicate keys, an object at the top.</summary>
public static class JsonFile
{
    /// <summary>Largest file accepted, in bytes; the index of a model with a million tensors is smaller.</summary>
    private const long MaxLength = 256L << 20;

    /// <summary>How they are written: two spaces, line feeds, only what JSON demands escaped.</summary>
    public static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        IndentSize = 2,
        NewLine = "\n",
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Its object.</returns>
    /// <exception cref="CheckpointException">It cannot be read, is too long, or is not such a file.</exception>
    public static JsonObject ReadObject(string path)
    {
        byte[] bytes;
        try
        {
            long length = FileFacts.Length(path);
            if (length > MaxLength)
                throw new CheckpointException($"'{path}' has {length} bytes; at most {MaxLength} are read. It is not the file it should be.", path);
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"'{path}' cannot be read: {e.Message}", path, e);
        }

        return ParseObject(bytes, path);
    }

    /// <summary>Reads the content of a file.</summary>
    /// <param name="utf8">The content.</param>
    /// <param name="path">File name for messages.</param>
    /// <returns>Its object.</returns>
    /// <exception cref="CheckpointException">It is not an object.</exception>
    public static JsonObject ParseObject(ReadOnlySpan<byte> utf8, string path)
    {
        if (LfsPointer.Is(utf8))
            throw new CheckpointException(LfsPointer.Message(path, utf8), path);
        try
        {
            JsonNode? node = SafeJson.Node(utf8, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return node as JsonObject ?? throw new CheckpointException($"'{path}' is not a JSON object.", path);
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"'{path}' is not valid JSON: {e.Message}", path, e);
        }
    }
}
