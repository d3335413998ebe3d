using System.Text.Json;

namespace LlmShearing.Tokenizers.HuggingFace;

/// <summary>
/// What tokenizer_config.json and special_tokens_map.json of a folder say about special tokens. As in the reference the former goes
/// first when it lists the added tokens, else the latter; where one is silent the other is asked.
/// </summary>
internal sealed record TokenizerConfig
{
    public string? TokenizerClass { get; private init; }

    /// <summary>Has <c>added_tokens_decoder</c>.</summary>
    private bool ListsTokens { get; init; }

    public bool? AddBos { get; private init; }

    public bool? AddEos { get; private init; }

    public string? Bos { get; private init; }

    public string? Eos { get; private init; }

    public string? Unknown { get; private init; }

    public string? Pad { get; private init; }

    /// <summary>The reference's LLaMA classes build their template from these settings and not from tokenizer.json.</summary>
    public bool IsLlamaClass => TokenizerClass is "LlamaTokenizer" or "LlamaTokenizerFast" or "CodeLlamaTokenizer" or "CodeLlamaTokenizerFast";

    /// <summary>Reads the files of a folder; those that are absent say nothing.</summary>
    public static TokenizerConfig Read(string folder)
    {
        TokenizerConfig config = ReadFile(Path.Combine(folder, "tokenizer_config.json"));
        TokenizerConfig map = ReadFile(Path.Combine(folder, "special_tokens_map.json"));
        (TokenizerConfig first, TokenizerConfig second) = config.ListsTokens ? (config, map) : (map, config);
        return config with
        {
            Bos = first.Bos ?? second.Bos,
            Eos = first.Eos ?? second.Eos,
            Unknown = first.Unknown ?? second.Unknown,
            Pad = first.Pad ?? second.Pad,
        };
    }

    private static TokenizerConfig ReadFile(string path)
    {
        if (!File.Exists(path))
            return new TokenizerConfig();
        using JsonDocument document = TokenizerJsonReader.Parse(TokenizerFiles.Read(path), path);
        var root = new JsonField(document.RootElement, path, "");
        return new TokenizerConfig
        {
            TokenizerClass = root.Optional("tokenizer_class")?.AsString(),
            ListsTokens = root.Optional("added_tokens_decoder") is not null,
            AddBos = root.Optional("add_bos_token")?.AsBool(),
            AddEos = root.Optional("add_eos_token")?.AsBool(),
            Bos = Token(root, "bos_token"),
            Eos = Token(root, "eos_token"),
            Unknown = Token(root, "unk_token"),
            Pad = Token(root, "pad_token"),
        };
    }

    // A token stands as its text or as an object with its flags.
    private static string? Token(JsonField root, string name) => root.Optional(name) switch
    {
        null => null,
        { IsString: true } text => text.AsString(),
        { } token => token.Text("content"),
    };
}
