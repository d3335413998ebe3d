// The added tokens that the JSON files beside a tokenizer.model name, with the roles they have.
using System.Globalization;
using System.Text.Json;

namespace LlmShearing.Tokenizers;

/// <summary>Added tokens, roles and habits of a folder with a sentencepiece model, read as the reference's slow LlamaTokenizer reads them.</summary>
internal sealed record FolderTokens
{
    private const int LargestId = (1 << 24) - 1;

    private static readonly string[] Roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    /// <summary>By their text; each once.</summary>
    public required IReadOnlyDictionary<string, AddedToken> Added { get; init; }

    /// <summary>Tokens named for a role.</summary>
    public required IReadOnlySet<string> Named { get; init; }

    public required SpecialTokens Special { get; init; }

    /// <summary>Every stretch of text between added tokens gets the space in front that the model asks for; else only the text as a whole.</summary>
    public required bool Legacy { get; init; }

    public required bool AddPrefixSpace { get; init; }

    /// <summary>Reads the files; null when none is there.</summary>
    public static FolderTokens? Read(string folder, SentencePieceModel model)
    {
        using JsonDocument? config = Open(folder, "tokenizer_config.json", out JsonField? settings);
        using JsonDocument? map = Open(folder, "special_tokens_map.json", out JsonField? named);
        using JsonDocument? list = Open(folder, "added_tokens.json", out JsonField? plain);
        if (settings is null && named is null && plain is null)
            return null;

        var reader = new Reader(model);
        if (settings?.Optional("added_tokens_decoder") is { } decoder)
            reader.AddDecoder(decoder);
        // The plain list gives way to the full one, as in the reference; what only it knows is taken all the same.
        if (plain is { } more)
            foreach ((string content, JsonField id) in more.Members())
                if (content.Length > 0 && !reader.Added.ContainsKey(content))
                    reader.Add(new AddedToken { Id = id.AsCount(LargestId), Content = content, Normalized = true }, id);

        var roles = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string role in Roles)
            if (Either(role) is { } token)
                roles[role] = reader.AddNamed(token);
        foreach (string members in (string[])["additional_special_tokens", "extra_special_tokens"])
            if (Either(members) is { } tokens)
                foreach (JsonField token in tokens.IsObject ? tokens.Members().Select(m => m.Value) : tokens.Items())
                    reader.AddNamed(token);

        int? bos = Role("bos_token", model.BosId), eos = Role("eos_token", model.EosId), unknown = Role("unk_token", model.UnknownId), pad = Role("pad_token", model.PadId);
        bool legacy = settings?.Flag("legacy", true) ?? true;
        if (!legacy && model.RemoveExtraWhitespaces)
            throw settings!.Value.Error($"has legacy false, which is not supported for {model.Source}: its model removes extra whitespace.");
        return new FolderTokens
        {
            Added = reader.Added,
            Named = reader.Named,
            Special = new SpecialTokens(bos, eos, unknown, pad),
            Legacy = legacy,
            AddPrefixSpace = settings?.Flag("add_prefix_space", true) ?? true,
        };

        JsonField? Either(string name) => settings?.Optional(name) ?? named?.Optional(name);

        int? Role(string role, int id) => roles.TryGetValue(role, out int known) ? known : reader.AddPiece(id);
    }

    private static JsonDocument? Open(string folder, string name, out JsonField? root)
    {
        string path = Path.Combine(folder, name);
        root = null;
        if (!File.Exists(path))
            return null;
        JsonDocument document = TokenizerJsonReader.Parse(TokenizerLoader.ReadFile(path), path);
        root = new JsonField(document.RootElement, path, "");
        return document;
    }

    /// <summary>Gathers tokens and sees that no id has two of them.</summary>
    private sealed class Reader(SentencePieceModel model)
    {
        private readonly Dictionary<int, string> _byId = [];

        public Dictionary<string, AddedToken> Added { get; } = new(StringComparer.Ordinal);

        public HashSet<string> Named { get; } = new(StringComparer.Ordinal);

        public void AddDecoder(JsonField decoder)
        {
            foreach ((string key, JsonField token) in decoder.Members())
            {
                if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || id > LargestId)
                    throw token.Error($"has the id '{key}', expected a whole number from 0 to {LargestId}.");
                string content = token.Text("content");
                if (content.Length > 0)
                    Add(Token(token, id, content, special: false), token);
            }
        }

        public void Add(AddedToken token, JsonField place)
        {
            if (_byId.TryGetValue(token.Id, out string? other) && other != token.Content)
                throw place.Error($"gives the id {token.Id} to '{token.Content}', but '{other}' has it.");
            if (Added.TryGetValue(token.Content, out AddedToken? before) && before.Id != token.Id)
                throw place.Error($"gives '{token.Content}' the id {token.Id}, but it has {before.Id} already.");
            _byId[token.Id] = token.Content;
            Added[token.Content] = token;
        }

        /// <summary>A token named for a role; one that no file has an id for gets the next.</summary>
        public int AddNamed(JsonField field)
        {
            string content = field.IsString ? field.AsString() : field.Text("content");
            if (content.Length == 0)
                throw field.Error("is empty, expected a token.");
            Named.Add(content);
            if (Added.TryGetValue(content, out AddedToken? known))
                return known.Id;
            int id = model.Pieces.FindIndex(piece => piece.Text == content);
            if (id < 0)
                id = Math.Max(model.Pieces.Count, _byId.Keys.DefaultIfEmpty(-1).Max() + 1);
            Add(field.IsString ? new AddedToken { Id = id, Content = content, Special = true } : Token(field, id, content, special: true), field);
            return id;
        }

        /// <summary>A piece that has a role by the model's own word.</summary>
        public int? AddPiece(int id)
        {
            if ((uint)id >= (uint)model.Pieces.Count)
                return null;
            string content = model.Pieces[id].Text;
            Named.Add(content);
            if (!_byId.ContainsKey(id) && Added.TryAdd(content, new AddedToken { Id = id, Content = content, Special = true }))
                _byId[id] = content;
            return id;
        }

        private static AddedToken Token(JsonField field, int id, string content, bool special) => new()
        {
            Id = id,
            Content = content,
            SingleWord = field.Flag("single_word", false),
            LeftStrip = field.Flag("lstrip", false),
            RightStrip = field.Flag("rstrip", false),
            Normalized = field.Flag("normalized", false),
            Special = special || field.Flag("special", false),
        };
    }
}
