using Google.Protobuf;
using LlmShearing.Testing;
using LlmShearing.Tokenizers.SentencePiece;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>Damaged, hostile and unsupported .model files.</summary>
public class SentencePieceBadInputTests
{
    private const string Small = VectorFile.Folder + "spm-bpe-small/tokenizer.model";

    [GoldenFact(Small)]
    public void Read_TruncatedAnywhere_Throws()
    {
        byte[] bytes = File.ReadAllBytes(Goldens.Path(Small));
        for (int length = 0; length < bytes.Length - 1; length += 37)
            Assert.Throws<TokenizerException>(() => Read(bytes[..length]));
    }

    [GoldenFact(Small)]
    public void Load_FlippedBytes_WorksOrThrowsTheOneType()
    {
        byte[] bytes = File.ReadAllBytes(Goldens.Path(Small));
        var random = new Random(3);
        for (int i = 0; i < 300; i++)
        {
            byte[] damaged = [.. bytes];
            for (int flip = 0; flip < 1 + (i % 4); flip++)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            try
            {
                ITokenizer tokenizer = new SentencePieceTokenizer(Read(damaged), addBos: true, addEos: true);
                tokenizer.Decode(tokenizer.Encode("Hello  world\n12 \u4F60"));
            }
            catch (TokenizerException)
            {
            }
        }
    }

    [Fact]
    public void Read_RandomBytes_OnlyThrowsTheOneType()
    {
        var random = new Random(1);
        for (int i = 0; i < 2000; i++)
        {
            byte[] bytes = new byte[random.Next(64)];
            random.NextBytes(bytes);
            Assert.Throws<TokenizerException>(() => Read(bytes));
        }
    }

    [Fact]
    public void Read_HugeClaimedLength_ThrowsWithoutAllocating()
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<TokenizerException>(() => Read([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0x00]));
        Assert.Throws<TokenizerException>(() => Read([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x00]));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Theory]
    [InlineData(1, "Unigram")]
    [InlineData(3, "Word")]
    [InlineData(4, "Char")]
    public void Read_OtherModelType_IsRefusedByName(int type, string name) =>
        Assert.Contains(name, Fails(Model(trainer => trainer.Enum(3, type), ("<unk>", 2), ("a", 1))));

    [Fact]
    public void Read_BadPieces_AreNamed()
    {
        Assert.Contains("expected 1 to", Fails(Model(Bpe, ("<unk>", 2), ("", 1))));
        Assert.Contains("expected 1 to", Fails(Model(Bpe, ("<unk>", 2), (new string('a', 5000), 1))));
        Assert.Contains("defined before", Fails(Model(Bpe, ("<unk>", 2), ("a", 1), ("a", 1))));
        Assert.Contains("0 unknown pieces", Fails(Model(Bpe, ("a", 1))));
        Assert.Contains("2 unknown pieces", Fails(Model(Bpe, ("<unk>", 2), ("a", 2))));
        Assert.Contains("unknown type 9", Fails(Model(Bpe, ("<unk>", 2), ("a", 9))));
        Assert.Contains("byte piece", Fails(Model(Bpe, ("<unk>", 2), ("<0x00>", 6))));
        Assert.Contains("0 byte pieces", Fails(Model(t => { Bpe(t); t.Enum(35, 1); }, ("<unk>", 2))));
        Assert.Contains("treat_whitespace_as_suffix", Fails(Model(t => { Bpe(t); t.Enum(24, 1); }, ("<unk>", 2))));
    }

    [Fact]
    public void CharsMap_SizesThatDoNotFit_Throw()
    {
        Assert.Throws<TokenizerException>(() => CharsMap.Read([1, 2], "x"));
        Assert.Throws<TokenizerException>(() => CharsMap.Read([255, 255, 255, 255, 0, 0], "x"));
        Assert.Throws<TokenizerException>(() => CharsMap.Read([3, 0, 0, 0, 0, 0, 0, 0], "x"));
    }

    [Fact]
    public void CharsMap_RandomTrie_StaysInBounds()
    {
        var random = new Random(2);
        byte[] blob = new byte[4 + 400 + 10];
        byte[] text = new byte[32];
        for (int i = 0; i < 2000; i++)
        {
            random.NextBytes(blob);
            new byte[] { 0x90, 1, 0, 0 }.CopyTo(blob, 0);
            random.NextBytes(text);
            Assert.InRange(CharsMap.Read(blob, "x").LongestPrefix(text, out _), 0, text.Length);
        }
    }

    /// <summary>Encodes a model for a test.</summary>
    internal static byte[] Model(Action<ProtoWriter> trainer, params (string Text, int Kind)[] pieces)
    {
        var model = new ProtoWriter();
        foreach ((string text, int kind) in pieces)
        {
            var piece = new ProtoWriter();
            piece.Bytes(1, System.Text.Encoding.UTF8.GetBytes(text));
            piece.Enum(3, kind);
            model.Bytes(1, piece.ToArray());
        }
        var spec = new ProtoWriter();
        trainer(spec);
        model.Bytes(2, spec.ToArray());
        return model.ToArray();
    }

    internal static void Bpe(ProtoWriter trainer) => trainer.Enum(3, 2);

    private static string Fails(byte[] model) => Assert.Throws<TokenizerException>(() => Read(model)).Message;

    private static SentencePieceModel Read(byte[] bytes) => SentencePieceReader.Read(bytes, "tokenizer.model");

    internal sealed class ProtoWriter
    {
        private readonly MemoryStream _stream = new();
        private readonly CodedOutputStream _output;

        public ProtoWriter() => _output = new CodedOutputStream(_stream);

        public void Bytes(int field, byte[] value)
        {
            _output.WriteTag(field, WireFormat.WireType.LengthDelimited);
            _output.WriteBytes(ByteString.CopyFrom(value));
        }

        public void Enum(int field, int value)
        {
            _output.WriteTag(field, WireFormat.WireType.Varint);
            _output.WriteInt32(value);
        }

        public void Float(int field, float value)
        {
            _output.WriteTag(field, WireFormat.WireType.Fixed32);
            _output.WriteFloat(value);
        }

        public byte[] ToArray()
        {
            _output.Flush();
            return _stream.ToArray();
        }
    }
}
