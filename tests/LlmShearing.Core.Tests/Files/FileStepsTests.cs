// Links are removed, not what they lead to; files in memory are files.
using LlmShearing.Files;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Files;

public sealed class FileStepsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void DeleteFolder_ALinkToAFolder_LeavesTheFolder()
    {
        Directory.CreateDirectory(_folder["real/inner"]);
        File.WriteAllText(_folder["real/inner/a"], "x");
        Directory.CreateDirectory(_folder["work"]);
        Directory.CreateSymbolicLink(_folder["link"], _folder["real"]);
        Directory.CreateSymbolicLink(_folder["work/link"], _folder["real"]);
        FileSteps.DeleteFolder(_folder["link"]);
        FileSteps.DeleteFolder(_folder["work"]);
        Assert.True(File.Exists(_folder["real/inner/a"]));
        Assert.Equal(["real"], Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void AtomicFile_InMemory_IsAFileLikeAnyOther()
    {
        if (!Directory.Exists("/dev/shm"))
            return;
        using var memory = new TemporaryFolder(inMemory: true);
        foreach (byte content in new byte[] { 1, 2 })
            AtomicFile.Write(memory["a.json"], s => s.WriteByte(content));
        Assert.Equal([2], File.ReadAllBytes(memory["a.json"]));
        Assert.Equal(["a.json"], Directory.GetFileSystemEntries(memory.Path).Select(Path.GetFileName));
    }
}
