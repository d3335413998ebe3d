// Reads ahead on a thread of its own, so that the trainer does not wait for files. With each micro-batch travels the place after it: what was read ahead is
// never part of a checkpoint, and an update of the mixture throws it away, so that a resumed run sees what an uninterrupted one sees.
using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Text.Json.Nodes;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Data.Batches;

/// <summary>Training data that are read ahead in the background. Gives out exactly what the data inside would.</summary>
public sealed class PrefetchedData : ITrainingData
{
    /// <summary>Micro-batches read ahead by default.</summary>
    public const int DefaultReadAhead = 4;

    private readonly ITrainingData _inner;
    private readonly int _readAhead;
    private readonly JsonObject _description;
    private Reader? _reader;
    private JsonObject _place;
    private IReadOnlyDictionary<string, double>? _proportions;
    private IReadOnlyDictionary<string, long>? _drawn;
    private bool _ended;
    private bool _disposed;

    /// <summary>Wraps data; reading begins with the first call of <see cref="NextBatch"/>.</summary>
    /// <param name="inner">The data; owned by this object from now on, and not to be used by others.</param>
    /// <param name="readAhead">Micro-batches held at most, at least 1. Default 4.</param>
    public PrefetchedData(ITrainingData inner, int readAhead = DefaultReadAhead)
    {
        ArgumentNullException.ThrowIfNull(inner);
        ArgumentOutOfRangeException.ThrowIfLessThan(readAhead, 1);
        (_inner, _readAhead) = (inner, readAhead);
        _description = inner.Describe();
        BatchesPerEpoch = inner.BatchesPerEpoch;
        (_place, _proportions, _drawn) = (inner.Save(), inner.Proportions, inner.Drawn);
    }

    /// <inheritdoc/>
    public long? BatchesPerEpoch { get; }

    /// <summary>Shares after the last micro-batch given out.</summary>
    public IReadOnlyDictionary<string, double>? Proportions => _proportions;

    /// <summary>Samples given out, those read ahead not among them.</summary>
    public IReadOnlyDictionary<string, long>? Drawn => _drawn;

    /// <summary>The next micro-batch. An error of the data inside comes here, in its turn; after it the place is where it was, and the next call tries again.</summary>
    /// <param name="cancellationToken">Ends the wait; nothing is lost.</param>
    /// <returns>The micro-batch; null when the data are used up.</returns>
    public TrainingBatch? NextBatch(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        cancellationToken.ThrowIfCancellationRequested();
        if (_ended)
            return null;
        _reader ??= new Reader(_inner, _readAhead);
        Item item = _reader.Take(cancellationToken);
        if (item.Error is not null)
        {
            GoBack();
            item.Error.Throw();
        }

        (_place, _proportions, _drawn, _ended) = (item.Place!, item.Proportions, item.Drawn, item.Batch is null);
        return item.Batch;
    }

    /// <summary>Takes effect with the next micro-batch given out: what was read ahead is read again.</summary>
    /// <param name="losses">See <see cref="ITrainingData.Update"/>.</param>
    public void Update(IReadOnlyDictionary<string, double> losses)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        GoBack();
        _inner.Update(losses);
        LookInside();
    }

    /// <inheritdoc/>
    public JsonObject Describe() => (JsonObject)_description.DeepClone();

    /// <inheritdoc/>
    public JsonObject Save() => (JsonObject)_place.DeepClone();

    /// <inheritdoc/>
    public void Restore(JsonObject state)
    {
        ArgumentNullException.ThrowIfNull(state);
        ObjectDisposedException.ThrowIf(_disposed, this);
        GoBack();
        _inner.Restore(state);
        LookInside();
    }

    /// <summary>Ends the background thread and disposes the data inside.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _reader?.Dispose();
        _inner.Dispose();
    }

    private void LookInside() => (_place, _proportions, _drawn, _ended) = (_inner.Save(), _inner.Proportions, _inner.Drawn, false);

    // Throws away what was read ahead: the data inside stand where the last micro-batch given out ends.
    private void GoBack()
    {
        if (_reader is null)
            return;
        _reader.Dispose();
        _reader = null;
        _inner.Restore((JsonObject)_place.DeepClone());
    }

    private sealed record Item(TrainingBatch? Batch, JsonObject? Place, IReadOnlyDictionary<string, double>? Proportions, IReadOnlyDictionary<string, long>? Drawn, ExceptionDispatchInfo? Error);

    // The thread, from its start to an end, an error or its disposal. Only it touches the data inside while it runs.
    private sealed class Reader : IDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly BlockingCollection<Item> _items;
        private readonly ITrainingData _inner;
        private readonly Thread _thread;

        public Reader(ITrainingData inner, int readAhead)
        {
            _inner = inner;
            _items = new BlockingCollection<Item>(readAhead);
            _thread = new Thread(Run) { IsBackground = true, Name = "training data" };
            _thread.Start();
        }

        public Item Take(CancellationToken cancellationToken) => _items.Take(cancellationToken);

        public void Dispose()
        {
            _stop.Cancel();
            _thread.Join();
            _items.Dispose();
            _stop.Dispose();
        }

        private void Run()
        {
            try
            {
                Item item;
                do
                {
                    item = Next();
                    _items.Add(item, _stop.Token);
                }
                while (item.Batch is not null);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                // Disposed: nobody waits any more.
            }
        }

        // Whatever goes wrong belongs to the caller of NextBatch; on this thread it would end the process.
        private Item Next()
        {
            try
            {
                TrainingBatch? batch = _inner.NextBatch(_stop.Token);
                return new Item(batch, _inner.Save(), _inner.Proportions, _inner.Drawn, null);
            }
#pragma warning disable CA1031
            catch (Exception e) when (!(e is OperationCanceledException && _stop.IsCancellationRequested))
#pragma warning restore CA1031
            {
                return new Item(null, null, null, null, ExceptionDispatchInfo.Capture(e));
            }
        }
    }
}
