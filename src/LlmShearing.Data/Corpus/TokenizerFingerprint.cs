// Whether two runs used the same tokenizer, without knowing where it came from.
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using LlmShearing.Tokenizers;

namespace LlmShearing.Data.Corpus;

internal static class TokenizerFingerprint
{
    private const string Probe = "  The naïve Größe of 3,141 words…\n\tdef f(x): return x**2\r\n日本語 😀 <s></s>";

    /// <summary>A digest of the vocabulary and of how a text with a bit of everything is encoded.</summary>
    public static string Of(ITokenizer tokenizer)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] number = new byte[4];
        void Add(int value)
        {
            BinaryPrimitives.WriteInt32LittleEndian(number, value);
            hash.AppendData(number);
        }

        for (int id = 0; id < tokenizer.VocabularySize; id++)
        {
            byte[] token = Encoding.UTF8.GetBytes(tokenizer.IdToToken(id) ?? "");
            Add(token.Length);
            hash.AppendData(token);
        }

        foreach (int id in tokenizer.Encode(Probe, addSpecialTokens: false))
            Add(id);
        Add(tokenizer.BosTokenId ?? -1);
        Add(tokenizer.EosTokenId ?? -1);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
