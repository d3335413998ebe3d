using System.Security.Cryptography;
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Tokenizers.SentencePiece;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>sentencepiece .model files against the vectors of the reference library: ids, decoding, bos/eos options, pieces.</summary>
public class SentencePieceVectorTests
{
    private const string Llama2 = "../data/tokenizers/llama2/tokenizer.model";

    [GoldenFact(VectorFile.Folder + "llama2/vectors.json", Llama2)]
    public void Llama2_AllVectors_Match() => Check("llama2/vectors.json", Goldens.Path(Llama2));

    [GoldenFact(VectorFile.Folder + "spm-bpe-small/vectors-model.json")]
    public void SpmSmall_AllVectors_Match() =>
        Check("spm-bpe-small/vectors-model.json", Goldens.Path(VectorFile.Folder + "spm-bpe-small/tokenizer.model"));

    [GoldenFact(VectorFile.Folder + "optional-spm-nfkc/vectors-model.json")]
    public void SpmNfkc_AllVectors_Match() =>
        Check("optional-spm-nfkc/vectors-model.json", Goldens.Path(VectorFile.Folder + "optional-spm-nfkc/tokenizer.model"));

    private static void Check(string vectors, string modelPath)
    {
        var file = new VectorFile(vectors);
        byte[] bytes = File.ReadAllBytes(modelPath);
        Assert.Equal(file.Sha256, Convert.ToHexStringLower(SHA256.HashData(bytes)));
        SentencePieceModel model = SentencePieceReader.Read(bytes, "tokenizer.model");
        ITokenizer bos = new SentencePieceTokenizer(model, addBos: true, addEos: false);
        ITokenizer eos = new SentencePieceTokenizer(model, addBos: false, addEos: true);
        ITokenizer both = new SentencePieceTokenizer(model, addBos: true, addEos: true);

        Assert.Equal((int)file["vocab_size"]!, bos.VocabularySize);
        Assert.Equal((int)file["bos_id"]!, bos.BosTokenId);
        Assert.Equal((int)file["eos_id"]!, bos.EosTokenId);
        Assert.Equal((int)file["unk_id"]!, bos.UnknownTokenId);
        foreach (JsonObject vector in file.Section("vectors"))
        {
            string text = VectorFile.Text(vector);
            int[] ids = VectorFile.Ids(vector["spm_ids"]!);
            file.Compare($"{vector["name"]} ids", ids, bos.Encode(text, addSpecialTokens: false));
            file.Compare($"{vector["name"]} decoded", VectorFile.Decoded(vector["spm_decoded"]!, text), bos.Decode(ids));
        }
        foreach (JsonObject item in file.Section("decode_only"))
            file.Compare($"decode {item["ids"]}", (string)item["spm"]!, bos.Decode(VectorFile.Ids(item["ids"]!)));
        foreach (JsonObject item in file.Section("streaming_and_options"))
        {
            string text = (string)item["text"]!;
            file.Compare($"bos {text}", VectorFile.Ids(item["bos"]!), bos.Encode(text));
            file.Compare($"eos {text}", VectorFile.Ids(item["eos"]!), eos.Encode(text));
            file.Compare($"bos_eos {text}", VectorFile.Ids(item["bos_eos"]!), both.Encode(text));
            string[] pieces = [.. bos.Encode(text, addSpecialTokens: false).Select(id => bos.IdToToken(id)!)];
            file.Compare($"pieces {text}", string.Join('|', item["pieces"]!.AsArray().Select(p => (string)p!)), string.Join('|', pieces));
        }
        file.AssertSame((324 * 2) + 40 + (12 * 4));
    }
}
