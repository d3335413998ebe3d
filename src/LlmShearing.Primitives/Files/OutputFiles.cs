namespace LlmShearing.Files;

/// <summary>How output files are opened; tests put failing streams here.</summary>
public sealed class OutputFiles
{
    /// <summary>Files of the operating system.</summary>
    public static OutputFiles Default { get; } = new();

    /// <summary>Opens a new file for writing, unbuffered, with the length it will have.</summary>
    public Func<string, long, Stream> Create { get; init; } = (path, length) => FileSteps.Create(path, new FileStreamOptions
    {
        Mode = FileMode.CreateNew,
        Access = FileAccess.ReadWrite,
        Share = Leftovers.Share,
        BufferSize = 0,
        PreallocationSize = length, // a disk that is too full says so now, not after an hour
    });
}
