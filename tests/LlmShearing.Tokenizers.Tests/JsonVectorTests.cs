using System.Security.Cryptography;
using LlmShearing.Testing;
using LlmShearing.Testing.Tokenizers;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>tokenizer.json based tokenizers against the vectors of the reference library: every string, decode, pair and stream.</summary>
public class JsonVectorTests
{
    private const int Everything = (324 * 4) + (40 * 2) + 6;

    [GoldenFact(VectorFile.Folder + "bytelevel-llama3-style/vectors.json")]
    public void ByteLevelLlama3Style_AllVectors_Match() => Check("bytelevel-llama3-style/vectors.json", "bytelevel-llama3-style/tokenizer.json");

    [GoldenFact(VectorFile.Folder + "smollm2/vectors.json", VectorFile.Folder + "smollm2/tokenizer.json")]
    public void SmolLm2_AllVectors_Match() => Check("smollm2/vectors.json", "smollm2/tokenizer.json");

    [GoldenFact(VectorFile.Folder + "spm-bpe-small/vectors-legacy.json")]
    public void SpmSmallLegacy_AllVectors_Match() => Check("spm-bpe-small/vectors-legacy.json", "spm-bpe-small/tokenizer-legacy.json");

    [GoldenFact(VectorFile.Folder + "spm-bpe-small/vectors-new.json")]
    public void SpmSmallNew_AllVectors_Match() => Check("spm-bpe-small/vectors-new.json", "spm-bpe-small/tokenizer-new.json");

    [RealTokenizerFact(RealTokenizerFactAttribute.Llama31, VectorFile.Folder + "real-llama3.1/vectors.json")]
    public void RealLlama31_AllVectors_Match() =>
        Check(new VectorFile("real-llama3.1/vectors.json"), RealTokenizerFactAttribute.Path(RealTokenizerFactAttribute.Llama31)!);

    [RealTokenizerFact(RealTokenizerFactAttribute.Qwen3, VectorFile.Folder + "real-qwen3/vectors.json")]
    public void RealQwen3_AllVectors_Match() =>
        Check(new VectorFile("real-qwen3/vectors.json"), RealTokenizerFactAttribute.Path(RealTokenizerFactAttribute.Qwen3)!);

    private static void Check(string vectors, string tokenizer) =>
        Check(new VectorFile(vectors), Goldens.Path(VectorFile.Folder + tokenizer));

    private static void Check(VectorFile vectors, string tokenizerPath)
    {
        Assert.Equal(vectors.Sha256, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(tokenizerPath))));
        vectors.CheckJsonTokenizer(TokenizerLoader.Load(tokenizerPath));
        vectors.AssertSame(Everything);
    }
}
