// Source files of text, plain or compressed.
using LlmShearing.Data.Compression;
using LlmShearing.Files;

namespace LlmShearing.Data.Corpus;

/// <summary>What the name of a text file says, and its bytes, decompressed where need be.</summary>
public static class CorpusFile
{
    /// <summary>Whether a file holds one JSON object a line, as against one text: .jsonl, .ndjson or .json, also with .gz, .zst or .zstd behind it.</summary>
    /// <param name="path">The file; only its name is looked at.</param>
    /// <returns>True for JSON Lines.</returns>
    public static bool IsJsonLines(string path) => CorpusDomain.IsJsonLines(path);

    /// <summary>Reads the texts of a file as <c>shear tokenize</c> does: one of each line's JSON object, or the whole file as one.</summary>
    /// <param name="path">The file, UTF-8, also compressed. Its name says whether it holds JSON Lines; where the name says nothing, its first line does.</param>
    /// <param name="field">Member of the objects that holds the text; naming one makes any file JSON Lines. Null: <c>text</c>.</param>
    /// <returns>The texts in order, which may be empty strings, and whether they are one plain text.</returns>
    /// <exception cref="TokenDataException">The file or a record cannot be read; the message names file and line.</exception>
    public static (IReadOnlyList<string> Texts, bool IsPlain) ReadTexts(string path, string? field = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var texts = new List<string>();
        bool plain = false;
        var reader = new TextRecordReader(field ?? new CorpusTokenizerOptions().TextField, InvalidTextPolicy.Refuse);
        foreach (TextChunk chunk in TextChunkReader.Read(path, 0, field is not null))
        {
            plain = chunk.FirstLine == 0;
            reader.Read(chunk, path, (text, _) => texts.Add(text.ToString()), CancellationToken.None);
            chunk.ReturnBuffer();
        }

        return (texts, plain);
    }

    /// <summary>Opens a file for reading; .gz (also of several members) and .zst or .zstd are decompressed on the way.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Its bytes in order; the caller disposes the stream. Damage is found while reading, as an <see cref="IOException"/> or <see cref="InvalidDataException"/>.</returns>
    /// <exception cref="TokenDataException">The file is not there or cannot be read.</exception>
    public static Stream OpenRead(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        FileStream file = Open(path);
        return Decompress(path, file);
    }

    internal static FileStream Open(string path)
    {
        try
        {
            LfsPointer.Refuse(path);
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenDataException($"{path} cannot be read: {e.Message}", e);
        }
    }

    internal static Stream Decompress(string path, FileStream file) => Path.GetExtension(path).ToUpperInvariant() switch
    {
        ".GZ" => new CompleteGZipStream(file),
        ".ZST" or ".ZSTD" => new ZstdStream(file, path),
        _ => file,
    };
}
