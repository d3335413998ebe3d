// Tokenizers: JSON, sentencepiece, and the files beside them. What is read is also used, once.
using System.Text.Json;
using LlmShearing.Testing;
using LlmShearing.Tokenizers;

namespace LlmShearing.Fuzz.Tests;

internal static class TokenizerReaders
{
    public const string Metaspace = """
        { "version": "1.0", "truncation": null, "padding": null,
          "added_tokens": [{ "id": 0, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true },
            { "id": 1, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true },
            { "id": 2, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": true, "normalized": false, "special": true }],
          "normalizer": { "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": "\u2581" }, { "type": "Replace", "pattern": { "String": " " }, "content": "\u2581" }] },
          "pre_tokenizer": null,
          "post_processor": { "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } } },
          "decoder": { "type": "Sequence", "decoders": [{ "type": "Replace", "pattern": { "String": "\u2581" }, "content": " " }, { "type": "Fuse" }, { "type": "Strip", "content": " ", "start": 1, "stop": 0 }] },
          "model": { "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": false,
            "vocab": { "<unk>": 0, "<s>": 1, "</s>": 2, "a": 3, "b": 4, "c": 5, "ab": 6, "abc": 7, "\u2581": 8, "\u2581a": 9 },
            "merges": [["a", "b"], ["ab", "c"], ["\u2581", "a"]] } }
        """;

    private const string Llama3Split = """(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+""";

    private const string ByteLevel = """
        { "version": "1.0", "added_tokens": [{ "id": 7, "content": "<eos>", "special": true }], "normalizer": { "type": "NFC" },
          "pre_tokenizer": { "type": "Sequence", "pretokenizers": [{ "type": "Split", "pattern": { "Regex": "SPLIT" }, "behavior": "Isolated", "invert": false },
            { "type": "Digits", "individual_digits": true }, { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false }] },
          "post_processor": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true }, "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
          "model": { "type": "BPE", "unk_token": null, "ignore_merges": true, "vocab": { "a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "\u0120": 5, "\u0120a": 6 }, "merges": ["a b", "ab c", "\u0120 a"] } }
        """;

    // In the manner of tekken: letters of upper and lower case apart, one digit at a time.
    private const string TekkenSplit = """[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+""";

    private static readonly string Data = Path.Combine(Goldens.RepositoryRoot, "tests", "data", "tokenizers");

    private static readonly (string File, string Content)[] Beside =
    [
        ("tokenizer_config.json", """
            { "add_bos_token": true, "add_eos_token": false, "bos_token": { "content": "<s>", "lstrip": false }, "eos_token": "</s>", "unk_token": "<unk>", "pad_token": null, "tokenizer_class": "LlamaTokenizer",
              "added_tokens_decoder": { "0": { "content": "<unk>", "special": true }, "1": { "content": "<s>", "special": true } }, "chat_template": "{{ x }}", "model_max_length": 1e30, "legacy": true }
            """),
        ("special_tokens_map.json", """{ "bos_token": { "content": "<s>", "lstrip": false }, "eos_token": "</s>", "unk_token": "<unk>", "additional_special_tokens": ["a"] }"""),
        ("added_tokens.json", """{ "<|im_start|>": 400, "<|im_end|>": 401 }"""),
    ];

    public static IEnumerable<FuzzReader> All()
    {
        yield return FuzzReaders.Text("tokenizer-json", "tokenizer.json", FuzzShape.Json, Metaspace, Use);
        yield return FuzzReaders.Text("tokenizer-json-bytes", "tokenizer.json", FuzzShape.Json, ByteLevel.Replace("SPLIT", Llama3Split, StringComparison.Ordinal), Use);
        // Both kinds of split expressions, the hand-written scanner's above and compiled ones; and any expression at all.
        yield return FuzzReaders.Text("tokenizer-json-tekken", "tokenizer.json", FuzzShape.Json, WithExpression(TekkenSplit), Use);
        yield return new("split-expression", "expression.txt", FuzzShape.Expression, f => File.WriteAllText(Path.Combine(f, "expression.txt"), TekkenSplit), f =>
        {
            string file = Path.Combine(f, "tokenizer.json");
            string expression = Path.Combine(f, "expression.txt");
            File.WriteAllText(file, WithExpression(Copies.IsFile(expression) ? File.ReadAllText(expression) : ""));
            Use(file);
            TokenizerLoader.Load(file).Encode("Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 123456789012    \r\n\r\n  !!??--__ \u4e00\u0301é\ud801\udc00\u3000\tabababababababababababab$ c");
        }) { MaxBytes = 96L << 20 };
        foreach (string name in new[] { "user-defined", "no-dummy-prefix" })
            yield return FuzzReaders.Binary("sentencepiece-" + name, "tokenizer.model", File.ReadAllBytes(Path.Combine(Data, name + ".model")), Use);
        foreach ((string file, string content) in Beside)
        {
            string stem = Path.GetFileNameWithoutExtension(file);
            yield return new("json-" + stem, file, FuzzShape.Json, f => Folder(f, file, content), Use);
            yield return new("sentencepiece-" + stem, file, FuzzShape.Json, f => SentencePiece(f, [(file, content)]), Use);
        }

        foreach ((string file, _) in Beside)
            yield return new("sentencepiece-folder-" + Path.GetFileNameWithoutExtension(file), file, FuzzShape.Json, f => SentencePiece(f, Beside), Use);
    }

    private static string WithExpression(string expression) => ByteLevel.Replace("\"SPLIT\"", JsonSerializer.Serialize(expression), StringComparison.Ordinal);

    private static void SentencePiece(string folder, IEnumerable<(string File, string Content)> beside)
    {
        File.Copy(Path.Combine(Data, "no-dummy-prefix.model"), Path.Combine(folder, "tokenizer.model"));
        foreach ((string file, string content) in beside)
            File.WriteAllText(Path.Combine(folder, file), content);
    }

    private static void Folder(string folder, string file, string content)
    {
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), Metaspace);
        File.WriteAllText(Path.Combine(folder, file), content);
    }

    private static void Use(string path)
    {
        ITokenizer tokenizer = TokenizerLoader.Load(path);
        int[] ids = tokenizer.Encode("ab abc  <s>cab 12é\ud83d\ude00\n x</s>");
        tokenizer.Decode(ids);
    }
}
