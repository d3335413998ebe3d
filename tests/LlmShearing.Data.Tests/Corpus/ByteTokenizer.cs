using System.Buffers;
using System.Text;
using LlmShearing.Tokenizers;

namespace LlmShearing.Data.Tests.Corpus;

/// <summary>Each byte of UTF-8 is a token: id 3 + byte; 1 is BOS and 2 is EOS. Encoded ids can be checked by eye.</summary>
internal sealed class ByteTokenizer(bool marks = true) : ITokenizer
{
    public int VocabularySize { get; init; } = 259;

    public int? BosTokenId => marks ? 1 : null;

    public int? EosTokenId => marks ? 2 : null;

    public int? UnknownTokenId => 0;

    public int? PadTokenId => null;

    public void EncodeTo(ReadOnlySpan<char> text, IBufferWriter<int> destination, bool addSpecialTokens = true)
    {
        Assert.False(addSpecialTokens);
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        Span<int> ids = destination.GetSpan(Math.Max(1, bytes.Length));
        for (int i = 0; i < bytes.Length; i++)
            ids[i] = bytes[i] + 3;
        destination.Advance(bytes.Length);
    }

    public static int[] Ids(string text) => [.. Encoding.UTF8.GetBytes(text).Select(b => b + 3)];

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var bytes = new List<byte>();
        foreach (int id in ids)
            if (id >= 3)
                bytes.Add((byte)(id - 3));
        return Encoding.UTF8.GetString([.. bytes]);
    }

    public int? TokenToId(string token) => null;

    public string? IdToToken(int id) => $"<{id}>";
}
