using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Testing.Tokenizers;
using LlmShearing.Tokenizers.SentencePiece;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>
/// LLaMA-2 folders usually hold a tokenizer.json converted from tokenizer.model. The conversion is done here, so that the JSON path
/// meets the real vocabulary too: as older files state it (Prepend and Replace) and as newer ones do (Metaspace).
/// </summary>
public class ConvertedLlama2Tests
{
    private const string Model = ConvertedLlama2.Model;
    private const string Small = VectorFile.Folder + "spm-bpe-small/tokenizer.model";

    [GoldenTheory(VectorFile.Folder + "llama2/vectors.json", Model)]
    [InlineData("legacy")]
    [InlineData("new")]
    public void Llama2_Converted_MatchesTheReference(string form) => Check("llama2/vectors.json", Goldens.Path(Model), form);

    [GoldenTheory(Small)]
    [InlineData("legacy")]
    [InlineData("new")]
    public void SpmSmall_Converted_MatchesTheReference(string form) => Check("spm-bpe-small/vectors-model.json", Goldens.Path(Small), form);

    private static void Check(string vectors, string modelPath, string form)
    {
        var file = new VectorFile(vectors);
        SentencePieceModel model = SentencePieceReader.Read(File.ReadAllBytes(modelPath), "tokenizer.model");
        string[] merges = ConvertedLlama2.Merges(model);
        Assert.Equal((int)file["converted_merges"]!["count"]!, merges.Length);

        ITokenizer tokenizer = TestTokenizer.Load(ConvertedLlama2.Convert(model, merges, form));
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
}
