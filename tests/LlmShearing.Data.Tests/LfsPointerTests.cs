// A Git LFS pointer in place of a file is called one, whatever reads it.
using System.Text;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Instructions;
using LlmShearing.Data.Rows;
using LlmShearing.Testing;
using LlmShearing.Tokenizers;

namespace LlmShearing.Data.Tests;

public sealed class LfsPointerTests : IDisposable
{
    private static readonly byte[] Pointer = Encoding.ASCII.GetBytes("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1234\n");

    private static readonly Dictionary<string, (string File, Action<string> Read)> Readers = new()
    {
        ["tokenizer.json"] = ("tokenizer.json", f => TokenizerLoader.Load(f)),
        ["tokenizer.model"] = ("tokenizer.model", f => TokenizerLoader.Load(f)),
        ["tokenizer folder"] = ("tokenizer.json", f => TokenizerLoader.Load(Path.GetDirectoryName(f)!)),
        ["instructions"] = ("a.json", f => _ = InstructionFile.Read(f).Count()),
        ["instruction lines"] = ("a.jsonl", f => _ = InstructionFile.Read(f).Count()),
        ["rows"] = ("a.npy", f => TokenRows.Open(f).Dispose()),
        ["raw rows"] = ("a.bin", f => TokenRows.Open(f, new TokenRowsOptions { RowLength = 4, Dtype = TokenDtype.UInt16 }).Dispose()),
        ["shard index"] = ("index.json", f => TokenRows.Open(Path.GetDirectoryName(f)!).Dispose()),
    };

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Names => [.. Readers.Keys];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public void Read_Pointer_SaysSo(string name)
    {
        (string file, Action<string> read) = Readers[name];
        string path = _folder.File(file, Pointer);
        string message = Assert.ThrowsAny<ShearingException>(() => read(path)).Message;
        Assert.Contains(file, message, StringComparison.Ordinal);
        Assert.Contains("Git LFS pointer", message, StringComparison.Ordinal);
    }
}
