using System.Text;
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Tokenizers;

namespace LlmShearing.Data.Tests.Tokenizers;

/// <summary>
/// LLaMA-2 folders usually hold a tokenizer.json converted from tokenizer.model. The conversion is done here, so that the JSON path
/// meets the real vocabulary too: as older files state it (Prepend and Replace) and as newer ones do (Metaspace).
/// </summary>
public class ConvertedLlama2Tests
{
    private const string Model = "../data/tokenizers/llama2/tokenizer.model";
    private const string Small = VectorFile.Folder + "spm-bpe-small/tokenizer.model";

    [GoldenTheory(VectorFile.Folder + "llama2/vectors.json", Model)]
    [InlineData("legacy")]
    [InlineData("new")]
    public void Llama2_Converted_MatchesTheReference(string form) => Check("llama2/vectors.json", Goldens.Path(Model), form);

    [GoldenTheory(Small)]
    [InlineData("legacy")]
    [InlineData("new")]
    public void SpmSmall_Converted_MatchesTheReference(string form) => Check("spm-bpe-small/vectors-model.json", Goldens.Path(Small), form);

    /// <summary>LLaMA-2's tokenizer as tokenizer.json with the begin and end tokens of its folder; form is legacy or new.</summary>
    internal static ITokenizer Load(string form)
    {
        SentencePieceModel model = SentencePieceReader.Read(File.ReadAllBytes(Goldens.Path(Model)), "tokenizer.model");
        JsonTokenizerParts parts = TokenizerJsonReader.Read(Encoding.UTF8.GetBytes(Convert(model, Merges(model), form).ToJsonString()), "tokenizer.json");
        return new JsonTokenizer(parts with { Special = new SpecialTokens(1, 2, 0, null) });
    }

    private static void Check(string vectors, string modelPath, string form)
    {
        var file = new VectorFile(vectors);
        SentencePieceModel model = SentencePieceReader.Read(File.ReadAllBytes(modelPath), "tokenizer.model");
        string[] merges = Merges(model);
        Assert.Equal((int)file["converted_merges"]!["count"]!, merges.Length);

        ITokenizer tokenizer = TestTokenizer.Load(Convert(model, merges, form));
        foreach (JsonObject vector in file.Section("vectors"))
        {
            string text = VectorFile.Text(vector);
            int[] ids = VectorFile.Ids(vector[$"hf_fast_{form}_ids"] ?? vector["spm_ids"]!);
            file.Compare($"{vector["name"]} ids", [1, .. ids], tokenizer.Encode(text));
            JsonNode kept = vector["hf_decoded"] ?? vector[$"hf_fast_{form}_decoded"]!;
            file.Compare($"{vector["name"]} decoded", VectorFile.Decoded(kept, text, "<s> "), tokenizer.Decode([1, .. ids], skipSpecialTokens: false));
            JsonNode skipped = vector["hf_decoded_skip_special"] ?? vector[$"hf_fast_{form}_decoded_skip_special"]!;
            file.Compare($"{vector["name"]} skipped", VectorFile.Decoded(skipped, text), tokenizer.Decode([1, .. ids]));
        }
        foreach (JsonObject item in file.Section("decode_only"))
        {
            int[] ids = VectorFile.Ids(item["ids"]!);
            file.Compare($"{item["ids"]}", (string)(item["hf"] ?? item[$"hf_fast_{form}"])!, tokenizer.Decode(ids, skipSpecialTokens: false));
            file.Compare($"{item["ids"]}", (string)(item["hf_skip_special"] ?? item[$"hf_fast_{form}_skip_special"])!, tokenizer.Decode(ids));
        }
        file.AssertSame((324 * 3) + 80);
    }

    /// <summary>Every way to cut a piece into two pieces is a merge; better scores go first, then longer left and right sides.</summary>
    private static string[] Merges(SentencePieceModel model)
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

    private static JsonObject Convert(SentencePieceModel model, string[] merges, string form)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(Goldens.Path(VectorFile.Folder + $"spm-bpe-small/tokenizer-{form}.json")))!.AsObject();
        var vocabulary = new JsonObject();
        for (int id = 0; id < model.Pieces.Count; id++)
            vocabulary[model.Pieces[id].Text] = id;
        json["model"]!["vocab"] = vocabulary;
        json["model"]!["merges"] = new JsonArray([.. merges.Select(m => (JsonNode)m)]);
        return json;
    }
}
