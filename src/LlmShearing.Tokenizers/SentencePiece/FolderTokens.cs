// The added tokens that the JSON files beside a tokenizer.model name, with the roles they have.
using System.Globalization;
using System.Text.Json;
using LlmShearing.Tokenizers.AddedTokens;
using LlmShearing.Tokenizers.HuggingFace;

namespace LlmShearing.Tokenizers.SentencePiece;

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
        using JsonDocument? numbers = Open(folder, "added_tokens.json", out JsonField? plain);
        if (settings is null && named is null && plain is null)
            return null;

        var reader = new Reader(model);
        JsonField? decoder = settings?.Optional("added_tokens_decoder");
        if (decoder is { } full)
            reader.AddDecoder(full);
        if (plain is { } ids)
            foreach ((string content, JsonField id) in ids.Members())
                reader.AddPlain(content, id, fillIn: decoder is not null);

        // The reference's order: with a full list of added tokens tokenizer_config.json counts, without one special_tokens_map.json
        // goes before it. Where the first is silent the other is asked all the same.
        (JsonField? first, JsonField? second) = decoder is null ? (named, settings) : (settings, named);
        var roles = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string role in Roles)
            if ((first?.Optional(role) ?? second?.Optional(role)) is { } token)
                roles[role] = reader.AddNamed(token, keepFlags: decoder is not null);
        foreach (string members in (string[])["additional_special_tokens", "extra_special_tokens"])
            foreach (JsonField? list in (JsonField?[])[settings?.Optional(members), named?.Optional(members)])
                if (list is { } tokens)
                    foreach (JsonField token in tokens.IsObject ? tokens.Members().Select(m => m.Value) : tokens.Items())
                        reader.AddNamed(token, keepFlags: token.IsString || decoder is not null);

        int? bos = Role("bos_token", model.BosId), eos = Role("eos_token", model.EosId), unknown = Role("unk_token", model.UnknownId), pad = Role("pad_token", model.PadId);
        return new FolderTokens
        {
            Added = reader.Added,
            Named = reader.Named,
            Special = new SpecialTokens(bos, eos, unknown, pad),
            Legacy = settings?.Flag("legacy", true) ?? true,
            AddPrefixSpace = settings?.Flag("add_prefix_space", true) ?? true,
        };

        int? Role(string role, int id) => roles.TryGetValue(role, out int known) ? known : reader.AddPiece(id);
    }

    private static JsonDocument? Open(string folder, string name, out JsonField? root)
    {
        string path = Path.Combine(folder, name);
        root = null;
        if (!File.Exists(path))
            return null;
        JsonDocument document = TokenizerJsonReader.Parse(TokenizerFiles.Read(path), path);
        root = new JsonField(document.RootElement, path, "");
        return document;
    }

    /// <summary>Gathers tokens and sees that no id has two of them.</summary>
    private sealed class Reader(SentencePieceModel model)
    {
        private readonly Dictionary<int, string> _byId = [];
        private readonly Dictionary<string, int> _pieces = Number(model.Pieces);

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

        /// <summary>A token of added_tokens.json; to fill in means to give way to what is known.</summary>
        public void AddPlain(string content, JsonField number, bool fillIn)
        {
            int id = number.AsCount(LargestId);
            if (content.Length > 0 && !(fillIn && (Added.ContainsKey(content) || _byId.ContainsKey(id))))
                Add(new AddedToken { Id = id, Content = content, Normalized = true }, number);
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

        /// <summary>A token named for a role; one that no file has an id for gets the next, which is the number of tokens so far.</summary>
        public int AddNamed(JsonField field, bool keepFlags)
        {
            string content = field.IsString ? field.AsString() : field.Text("content");
            if (content.Length == 0)
                throw field.Error("is empty, expected a token.");
            Named.Add(content);
            if (Added.TryGetValue(content, out AddedToken? known))
            {
                // A token named with flags of its own has them, also where a list without flags knew its id.
                if (!keepFlags)
                    Added[content] = Token(field, known.Id, content, special: true);
                return known.Id;
            }
            int id = _pieces.TryGetValue(content, out int piece) ? piece : _pieces.Count + Added.Keys.Count(text => !_pieces.ContainsKey(text));
            Add(Token(field, id, content, special: true), field);
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

        private static Dictionary<string, int> Number(List<Piece> pieces)
        {
            var ids = new Dictionary<string, int>(StringComparer.Ordinal);
            for (int id = 0; id < pieces.Count; id++)
                ids.TryAdd(pieces[id].Text, id);
            return ids;
        }

        private static AddedToken Token(JsonField field, int id, string content, bool special) => field.IsString
            ? new AddedToken { Id = id, Content = content, Special = special }
            : new AddedToken
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
