// index.json of a domain's folder: which shard files there are, and which source files their rows came from. docs/token-shards.md states the members.
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Data.Rows;
using LlmShearing.Files;
using LlmShearing.Json;

namespace LlmShearing.Data.Shards;

/// <param name="File">Name in the index's folder.</param>
/// <param name="Rows">Rows of the file.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Sha256">Digest of its ids.</param>
internal sealed record TokenShardEntry(string File, long Rows, long Bytes, string Sha256);

internal sealed record TokenShardIndex(string Domain, int RowLength, int VocabularySize, IReadOnlyList<TokenShardEntry> Shards, IReadOnlyList<TokenSource> Sources, JsonObject? Settings)
{
    public const string FileName = "index.json";
    public const string Format = "shear-tokens";
    private const int Version = 1;
    private const long MaxBytes = 1L << 30;
    private const int MaxEntries = 50_000_000;

    public long Rows => Shards.Sum(s => s.Rows);

    /// <summary>Whether a file is such an index, as against that of another format.</summary>
    public static bool IsOne(string path) =>
        StrictJson.ReadFile(path, MaxBytes, (message, cause) => new TokenDataException(message, cause), json => json.Has("format"));

    public static TokenShardIndex Load(string path) =>
        StrictJson.ReadFile(path, MaxBytes, (message, cause) => new TokenDataException(message, cause), Read);

    public void Save(string path) => AtomicFile.Write(path, stream =>
    {
        using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        writer.WriteStartObject();
        writer.WriteString("format", Format);
        writer.WriteNumber("version", Version);
        writer.WriteString("domain", Domain);
        writer.WriteNumber("row_length", RowLength);
        writer.WriteNumber("vocabulary_size", VocabularySize);
        writer.WriteNumber("rows", Rows);
        writer.WriteStartArray("shards");
        foreach (TokenShardEntry shard in Shards)
        {
            writer.WriteStartObject();
            writer.WriteString("file", shard.File);
            writer.WriteNumber("rows", shard.Rows);
            writer.WriteNumber("bytes", shard.Bytes);
            writer.WriteString("sha256", shard.Sha256);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartArray("sources");
        foreach (TokenSource source in Sources)
            source.Json().WriteTo(writer);
        writer.WriteEndArray();
        if (Settings is not null)
        {
            writer.WritePropertyName("settings");
            Settings.WriteTo(writer);
        }

        writer.WriteEndObject();
    });

    /// <summary>Opens the files that the index of <paramref name="folder"/> lists, and compares each with its entry.</summary>
    public JoinedTokenRows Open(string folder)
    {
        var parts = new List<ITokenRows>();
        try
        {
            foreach (TokenShardEntry entry in Shards)
            {
                TokenShard shard = TokenShard.Open(Path.Combine(folder, entry.File));
                parts.Add(shard);
                if (shard.Name != Domain || shard.RowLength != RowLength || shard.VocabularySize != VocabularySize || shard.Count != entry.Rows || shard.Sha256 != entry.Sha256)
                    throw new TokenDataException($"{shard.Path}: domain '{shard.Name}', {shard.Count} rows of {shard.RowLength}, vocabulary {shard.VocabularySize}, SHA-256 {shard.Sha256}; {FileName} says '{Domain}', {entry.Rows} rows of {RowLength}, vocabulary {VocabularySize}, {entry.Sha256}. The file belongs to another index; make the folder again.");
            }

            return new JoinedTokenRows(Domain, parts)
            {
                Sources = Sources,
                RowsCrossSources = Settings?["remainder"] is JsonValue rest && rest.TryGetValue(out string? name) && name == nameof(RowRemainder.Carry),
            };
        }
        catch
        {
            parts.ForEach(p => p.Dispose());
            throw;
        }
    }

    private static TokenShardIndex Read(StrictJson json)
    {
        if (json.TextOrNull("format") is var format && format != Format)
            throw json.Error("format", $"expected \"{Format}\", found \"{format}\"");
        json.Int("version", Version, Version);
        string domain = json.Text("domain");
        int rowLength = json.Int("row_length", 1, int.MaxValue);
        int vocabulary = json.Int("vocabulary_size", 1, int.MaxValue);
        long rows = json.Long("rows", 0);
        TokenShardEntry[] shards = [.. json.Objects("shards", MaxEntries).Select(ReadShard)];
        TokenSource[] sources = json.Has("sources") ? [.. json.Objects("sources", MaxEntries).Select(TokenSource.Read)] : [];
        JsonObject? settings = json.Has("settings") ? json.Node("settings") : null;
        json.End();
        // Added up here once, so that nobody meets an overflow later.
        _ = (sources.Sum(s => s.Rows), sources.Sum(s => s.Tokens), sources.Sum(s => s.Bytes), sources.Sum(s => s.Documents), sources.Sum(s => s.EmptyDocuments));
        if (shards.Sum(s => s.Rows) != rows)
            throw json.Error("rows", $"expected the sum over the shards, {shards.Sum(s => s.Rows)}, found {rows}");
        return new TokenShardIndex(domain, rowLength, vocabulary, shards, sources, settings);
    }

    private static TokenShardEntry ReadShard(StrictJson json)
    {
        string file = json.Text("file");
        if (file.Length == 0 || file is "." or ".." || file.AsSpan().IndexOfAny('/', '\\', '\0') >= 0)
            throw json.Error("file", $"'{file}' is no plain file name; a shard lies beside its index");
        var entry = new TokenShardEntry(file, json.Long("rows", 0), json.Long("bytes", TokenShardHeader.Size), json.Text("sha256"));
        json.End();
        return entry;
    }
}
