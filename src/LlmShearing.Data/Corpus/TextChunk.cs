// A piece of a source file on its way through the pipeline: bytes in, ids out.
using System.Buffers;

namespace LlmShearing.Data.Corpus;

/// <param name="source">Index of the source file.</param>
/// <param name="bytes">Whole lines, or one whole document.</param>
/// <param name="length">Bytes used.</param>
/// <param name="firstLine">1-based number of the first line; 0 for a plain document.</param>
/// <param name="fileBytes">How much of the file, as stored, has been read so far.</param>
/// <param name="isLast">Whether the file ends with this.</param>
internal sealed class TextChunk(int source, byte[] bytes, int length, long firstLine, long fileBytes, bool isLast)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Source => source;

    public ReadOnlySpan<byte> Text => bytes.AsSpan(0, length);

    /// <summary>Bytes of memory, also after <see cref="ReturnBuffer"/>.</summary>
    public int Size { get; } = bytes.Length;

    public long FirstLine => firstLine;

    public long FileBytes => fileBytes;

    public bool IsLast => isLast;

    /// <summary>Ids of the documents, one after the other; set by the worker.</summary>
    public ArrayBufferWriter<int>? Ids { get; set; }

    public long Documents { get; set; }

    public long EmptyDocuments { get; set; }

    public long RepairedDocuments { get; set; }

    /// <summary>What went wrong while reading or encoding; thrown where chunks are taken in order, so that the first mistake of the corpus is the one reported.</summary>
    public Exception? Error { get; set; }

    public void SetDone() => _done.SetResult();

    public void Wait(CancellationToken cancellationToken)
    {
        _done.Task.Wait(cancellationToken);
        if (Error is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(Error);
    }

    public void ReturnBuffer()
    {
        byte[] buffer = Interlocked.Exchange(ref bytes, []);
        if (buffer.Length == TextChunkReader.BlockBytes)
            ArrayPool<byte>.Shared.Return(buffer);
    }
}
