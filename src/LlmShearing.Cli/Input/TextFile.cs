// Text records: a JSON Lines file has one a line, in a field; any other file is one record.
using LlmShearing.Data.Corpus;

namespace LlmShearing.Cli.Input;

/// <param name="Path">The file.</param>
/// <param name="Records">Texts in file order; may be empty strings.</param>
/// <param name="IsPlain">One plain text, as against separate records.</param>
internal sealed record TextFile(string Path, IReadOnlyList<string> Records, bool IsPlain)
{
    public const string DefaultField = "text";

    /// <summary>Reads a file as 'shear tokenize' does; naming a field makes any file JSON Lines.</summary>
    public static TextFile Read(string path, string? field)
    {
        InputFile.EnsureReadable(path);
        (IReadOnlyList<string> texts, bool plain) = CorpusFile.ReadTexts(path, field);
        return new TextFile(path, texts, plain);
    }
}
