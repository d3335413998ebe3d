// One thread reads, several encode, and the caller takes the chunks in the order they were read: rows do not depend on the number of workers.
using System.Buffers;
using System.Collections.Concurrent;
using LlmShearing.Tokenizers;

namespace LlmShearing.Data.Corpus;

/// <summary>Encodes the files of a domain.</summary>
/// <remarks>
/// What is in flight is bounded in bytes, so a line of any length is held once, however many workers there are. The serial parts are looking for the
/// ends of lines, decompression, and copying ids into rows; each is far quicker than encoding.
/// </remarks>
internal sealed class EncodingPipeline(ITokenizer tokenizer, CorpusTokenizerOptions options)
{
    private const int LargestKeptIds = 4 << 20;
    private const long LeastBytesInFlight = 32L << 20;

    private readonly ConcurrentBag<ArrayBufferWriter<int>> _idBuffers = [];

    /// <summary>Runs to the end, the first error, or cancellation.</summary>
    /// <param name="paths">Source files in order.</param>
    /// <param name="first">Index of the first to encode.</param>
    /// <param name="take">Called on this thread for each chunk, in order.</param>
    /// <param name="cancellationToken">Stops all threads.</param>
    public void Run(IReadOnlyList<string> paths, int first, Action<TextChunk> take, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // Two chunks for each worker, one being encoded and one waiting, keep all busy.
        using var budget = new ByteBudget(Math.Max(LeastBytesInFlight, 2L * options.Workers * TextChunkReader.BlockBytes));
        using var work = new BlockingCollection<TextChunk>();
        using var ordered = new BlockingCollection<TextChunk>();
        Thread[] threads =
        [
            Start(() => ReadAll(paths, first, budget, work, ordered, stop.Token), "corpus reader"),
            .. Enumerable.Range(0, options.Workers).Select(i => Start(() => EncodeAll(paths, work, stop.Token), $"corpus encoder {i}")),
        ];
        try
        {
            foreach (TextChunk chunk in ordered.GetConsumingEnumerable(cancellationToken))
            {
                chunk.Wait(cancellationToken);
                take(chunk);
                Recycle(chunk);
                budget.Release(chunk.Size);
            }
        }
        finally
        {
            stop.Cancel();
            foreach (Thread thread in threads)
                thread.Join();
        }
    }

    private static void ReadAll(
        IReadOnlyList<string> paths, int first, ByteBudget budget, BlockingCollection<TextChunk> work, BlockingCollection<TextChunk> ordered, CancellationToken stop)
    {
        try
        {
            for (int i = first; i < paths.Count; i++)
            {
                foreach (TextChunk chunk in TextChunkReader.Read(paths[i], i))
                {
                    budget.Reserve(chunk.Size, stop);
                    ordered.Add(chunk, stop);
                    work.Add(chunk, stop);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            // Takes its turn behind the chunks read before it.
            var failed = new TextChunk(0, [], 0, 0, 0, isLast: false) { Error = e };
            failed.SetDone();
            ordered.Add(failed, CancellationToken.None);
        }
        finally
        {
            work.CompleteAdding();
            ordered.CompleteAdding();
        }
    }

    private void EncodeAll(IReadOnlyList<string> paths, BlockingCollection<TextChunk> work, CancellationToken stop)
    {
        var encoder = new TextChunkEncoder(tokenizer, options);
        try
        {
            foreach (TextChunk chunk in work.GetConsumingEnumerable(stop))
            {
                try
                {
                    encoder.Encode(chunk, paths[chunk.Source], _idBuffers.TryTake(out ArrayBufferWriter<int>? ids) ? ids : new ArrayBufferWriter<int>(TextChunkReader.BlockBytes / 2), stop);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    chunk.Error = e is TokenizerException ? new TokenDataException($"{paths[chunk.Source]}: {e.Message}", e) : e;
                }

                chunk.ReturnBuffer();
                chunk.SetDone();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
    }

    private void Recycle(TextChunk chunk)
    {
        if (chunk.Ids is not { Capacity: <= LargestKeptIds } ids)
            return;
        ids.ResetWrittenCount();
        _idBuffers.Add(ids);
    }

    private static Thread Start(ThreadStart body, string name)
    {
        var thread = new Thread(body) { IsBackground = true, Name = name };
        thread.Start();
        return thread;
    }
}
