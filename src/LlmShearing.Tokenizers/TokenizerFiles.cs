using LlmShearing.Files;

namespace LlmShearing.Tokenizers;

/// <summary>Reads the files of a tokenizer.</summary>
internal static class TokenizerFiles
{
    public static byte[] Read(string path)
    {
        try
        {
            LfsPointer.Refuse(path);
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenizerException($"{path} cannot be read: {e.Message}", e);
        }
    }
}
