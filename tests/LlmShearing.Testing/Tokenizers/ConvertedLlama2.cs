using System.Text;
using System.Text.Json.Nodes;
using LlmShearing.Tokenizers;
using LlmShearing.Tokenizers.HuggingFace;
using LlmShearing.Tokenizers.SentencePiece;

namespace LlmShearing.Testing.Tokenizers;

/// <summary>LLaMA-2's tokenizer.model turned into a tokenizer.json, as older files state it (Prepend and Replace) and as newer ones do (Metaspace).</summary>
internal static class ConvertedLlama2
{
    public const string Model = "../data/tokenizers/llama2/tokenizer.model";
    private const string Folder = "hf/tokenizers/";

    /// <summary>LLaMA-2's tokenizer as tokenizer.json with the begin and end tokens of its folder; form is legacy or new.</summary>
    public static ITokenizer Load(string form)
    {
        SentencePieceModel model = SentencePieceReader.Read(File.ReadAllBytes(Goldens.Path(Model)), "tokenizer.model");
        JsonTokenizerParts parts = TokenizerJsonReader.Read(Encoding.UTF8.GetBytes(Convert(model, Merges(model), form).ToJsonString()), "tokenizer.json");
        return new JsonTokenizer(parts with { Special = new SpecialTokens(1, 2, 0, null) });
    }

    /// <summary>Every way to cut a piece into two pieces is a merge; better scores go first, then longer left and right sides.</summary>
    internal static string[] Merges(SentencePieceModel model)
    {
        Dictionary<string, int> ids = Enumerable.Range(0, model.Pieces.Count).ToDictionary(id => model.Pieces[id].Text);
        var merges = new List<(string Left, string Right, float Score)>();
        foreach (Piece piece in model.Pieces)
        {
            var cuts = new List<(string Left, string Right, float Score)>();
            for (int cut = 1; cut < piece.Text.Length; cut++)
                if (ids.ContainsKey(piece.Text[..cut]) && ids.ContainsKey(piece.Text[cut..]))
                    cuts.Add((piece.Text[..cut], piece.Text[cut..], piece.Score));
            merges.AddRange(cuts.OrderBy(c => ids[c.Left]).ThenBy(c => ids[c.Right]));
        }
        return [.. merges.OrderByDescending(m => m.Score).ThenByDescending(m => Length(m.Left)).ThenByDescending(m => Length(m.Right))
            .Select(m => $"{m.Left} {m.Right}")];

        static int Length(string text) => text.EnumerateRunes().Count();
    }

    internal static JsonObject Convert(SentencePieceModel model, string[] merges, string form)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(Goldens.Path(Folder + $"spm-bpe-small/tokenizer-{form}.json")))!.AsObject();
        var vocabulary = new JsonObject();
        for (int id = 0; id < model.Pieces.Count; id++)
            vocabulary[model.Pieces[id].Text] = id;
        json["model"]!["vocab"] = vocabulary;
        json["model"]!["merges"] = new JsonArray([.. merges.Select(m => (JsonNode)m)]);
        return json;
    }
}
