namespace LlmShearing.Testing;

/// <summary>A folder that goes away with the test.</summary>
public sealed class TemporaryFolder : IDisposable
{
    private const string Memory = "/dev/shm";

    /// <param name="inMemory">Where files wait for no disk, on systems that have such a place.</param>
    public TemporaryFolder(bool inMemory = false) =>
        Path = inMemory && Directory.Exists(Memory)
            ? Directory.CreateDirectory(System.IO.Path.Combine(Memory, $"shearing-{Guid.NewGuid():N}")).FullName
            : Directory.CreateTempSubdirectory("shearing-").FullName;

    public string Path { get; }

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public string File(string name, byte[] content)
    {
        System.IO.File.WriteAllBytes(this[name], content);
        return this[name];
    }

    /// <summary>Copies the files of a folder (not its subfolders) and returns the copy.</summary>
    public string CopyOf(string source, string name = "copy")
    {
        Directory.CreateDirectory(this[name]);
        foreach (string file in Directory.GetFiles(source))
        {
            string copy = System.IO.Path.Combine(this[name], System.IO.Path.GetFileName(file));
            System.IO.File.Copy(file, copy);
            System.IO.File.SetAttributes(copy, FileAttributes.Normal);
        }

        return this[name];
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
