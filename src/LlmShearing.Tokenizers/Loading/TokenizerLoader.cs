using LlmShearing.Tokenizers.HuggingFace;
using LlmShearing.Tokenizers.SentencePiece;

namespace LlmShearing.Tokenizers;

/// <summary>
/// Opens tokenizers: Hugging Face <c>tokenizer.json</c> files with a BPE model, sentencepiece <c>.model</c> files of type BPE,
/// and folders that hold one of them. Anything in a file that is not supported is refused by name when loading.
/// </summary>
/// <remarks>
/// <c>add_bos_token</c> and <c>add_eos_token</c> decide for sentencepiece models and for the tokenizer class LlamaTokenizer (also
/// Fast and CodeLlama); other classes keep the template of tokenizer.json. Truncation and padding of a tokenizer.json are not applied.
/// </remarks>
public static class TokenizerLoader
{
    /// <summary>Opens a tokenizer.</summary>
    /// <param name="path">
    /// A folder, in which <c>tokenizer.json</c> is preferred to <c>tokenizer.model</c> and <c>tokenizer_config.json</c>,
    /// <c>special_tokens_map.json</c> and, beside a sentencepiece model, <c>added_tokens.json</c> are honoured; or a file, which is then all that is read: JSON when its name ends in
    /// <c>.json</c>, else a sentencepiece model.
    /// </param>
    /// <returns>The tokenizer; it may be used from many threads.</returns>
    /// <exception cref="TokenizerException">A file is missing, damaged or asks for something that is not supported.</exception>
    public static ITokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!Directory.Exists(path))
            return LoadFile(path);

        TokenizerConfig config = TokenizerConfig.Read(path);
        string json = Path.Combine(path, "tokenizer.json");
        if (File.Exists(json))
            return new JsonTokenizer(Configure(TokenizerJsonReader.Read(TokenizerFiles.Read(json), json), config, path));

        string model = Path.Combine(path, "tokenizer.model");
        if (File.Exists(model))
        {
            SentencePieceModel pieces = SentencePieceReader.Read(TokenizerFiles.Read(model), model);
            return new SentencePieceTokenizer(pieces, config.AddBos ?? true, config.AddEos ?? false, FolderTokens.Read(path, pieces));
        }
        throw new TokenizerException($"{path} has neither tokenizer.json nor tokenizer.model.");
    }

    private static ITokenizer LoadFile(string path) => path.EndsWith(".json", StringComparison.OrdinalIgnoreCase)
        ? new JsonTokenizer(TokenizerJsonReader.Read(TokenizerFiles.Read(path), path))
        : new SentencePieceTokenizer(SentencePieceReader.Read(TokenizerFiles.Read(path), path), addBos: true, addEos: false);

    private static JsonTokenizerParts Configure(JsonTokenizerParts parts, TokenizerConfig config, string folder)
    {
        SpecialTokens special = parts.Special;
        special = new SpecialTokens(
            Id(config.Bos) ?? special.Bos, Id(config.Eos) ?? special.Eos, Id(config.Unknown) ?? special.Unknown, Id(config.Pad) ?? special.Pad);
        if (!config.IsLlamaClass)
            return parts with { Special = special };

        bool addBos = config.AddBos ?? true;
        bool addEos = config.AddEos ?? false;
        if ((addBos && special.Bos is null) || (addEos && special.Eos is null))
            throw new TokenizerException($"{folder}: tokenizer_config.json adds bos or eos to every text but the folder does not say which token that is.");
        TokenTemplate template = TokenTemplate.Around(addBos ? special.Bos : null, addEos ? special.Eos : null);
        return parts with { Special = special, Template = template };

        int? Id(string? token) => token is not null && parts.TokenIds.TryGetValue(token, out int id) ? id : null;
    }
}
