// The files of a checkpoint folder that pruning does not touch: tokenizer, generation settings, licences.
using System.IO.Enumeration;

namespace LlmShearing;

internal static class AuxiliaryFiles
{
    private static readonly string[] Patterns =
    [
        "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
        "chat_template.jinja", "chat_template.json", "generation_config.json", "LICENSE*", "USE_POLICY*", "NOTICE*",
    ];

    /// <summary>Copies them byte for byte; symbolic links are followed.</summary>
    public static void Copy(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from))
        {
            string name = Path.GetFileName(file);
            if (!Patterns.Any(p => FileSystemName.MatchesSimpleExpression(p, name, ignoreCase: false)))
                continue;
            string copy = Path.Combine(to, name);
            try
            {
                File.Copy(file, copy);
                if (!OperatingSystem.IsWindows())
                    File.SetUnixFileMode(copy, File.GetUnixFileMode(copy) | UnixFileMode.UserWrite); // a read-only source must not make a read-only copy
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CheckpointException($"'{file}' cannot be copied: {e.Message}", file, e);
            }
        }
    }
}
