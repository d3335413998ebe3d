using System.Text.Json.Nodes;
using LlmShearing.Data.Batches;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using Xunit;

namespace LlmShearing.Data.Tests.Batches;

public class PrefetchedDataTests
{
    private static readonly Dictionary<string, double> Losses = new() { ["web"] = 0.1, ["code"] = 3, ["wiki"] = 1 };

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public void NextBatch_GivesWhatTheDataInsideGive(int readAhead)
    {
        using DomainBatches plain = TestData.Mixed(ExhaustionPolicy.Stop);
        using var ahead = new PrefetchedData(TestData.Mixed(ExhaustionPolicy.Stop), readAhead);
        Assert.Equal(TestData.Take(plain, 40), TestData.Take(ahead, 40));   // "end" included, again and again
        Assert.Equal(plain.Describe().ToJsonString(), ahead.Describe().ToJsonString());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5)]
    public void Save_WithBatchesReadAhead_IsThePlaceAfterTheLastOneGivenOut(int place)
    {
        using DomainBatches plain = TestData.Mixed();
        using var ahead = new PrefetchedData(TestData.Mixed(), 8);
        TestData.Take(plain, place);
        TestData.Take(ahead, place);
        Assert.Equal(plain.Save().ToJsonString(), ahead.Save().ToJsonString());

        using var resumed = new PrefetchedData(TestData.Mixed(), 3);
        TestData.Take(resumed, 11);
        resumed.Restore(TestData.Stored(ahead.Save()));
        Assert.Equal(TestData.Take(plain, 20), TestData.Take(resumed, 20));
    }

    [Fact]
    public void Drawn_WithBatchesReadAhead_CountsThoseGivenOut()
    {
        DomainBatches inside = TestData.Mixed();
        using var ahead = new PrefetchedData(inside, 8);
        TestData.Take(ahead, 2);
        Assert.True(SpinWait.SpinUntil(() => inside.Drawn.Values.Sum() > 6, 5000), "nothing was read ahead");
        Assert.Equal(2 * 3, ahead.Drawn!.Values.Sum());
    }

    [Fact]
    public void Update_WithBatchesReadAhead_ActsAsWithoutReadingAhead()
    {
        using DomainBatches plain = Adaptive();
        using var ahead = new PrefetchedData(Adaptive(), 8);
        using var resumed = new PrefetchedData(Adaptive(), 8);
        foreach (ITrainingData data in new ITrainingData[] { plain, ahead })
        {
            TestData.Take(data, 7);
            data.Update(Losses);
        }

        Assert.Equal(plain.Proportions, ahead.Proportions);
        Assert.Equal(plain.Save().ToJsonString(), ahead.Save().ToJsonString());
        resumed.Restore(TestData.Stored(ahead.Save()));
        List<string> expected = TestData.Take(plain, 30);
        Assert.Equal(expected, TestData.Take(ahead, 30));
        Assert.Equal(expected, TestData.Take(resumed, 30));
    }

    [Fact]
    public void NextBatch_ErrorInside_ComesInItsTurnAndCanBeTriedAgain()
    {
        var source = new Counting { FailAt = 3 };
        using var data = new PrefetchedData(source, 8);
        Assert.Equal(["0", "1", "2"], Enumerable.Range(0, 3).Select(_ => data.NextBatch()!.Source));
        Assert.Equal("broken at 3", Assert.Throws<TokenDataException>(() => data.NextBatch()).Message);
        Assert.Equal(3, data.Save()["next"]!.GetValue<int>());
        Assert.Throws<TokenDataException>(() => data.NextBatch());
        source.FailAt = -1;
        Assert.Equal("3", data.NextBatch()!.Source);
    }

    [Fact]
    public void NextBatch_ReadsNoFurtherAheadThanAsked()
    {
        var source = new Counting();
        using var data = new PrefetchedData(source, 2);
        data.NextBatch();
        SpinWait.SpinUntil(() => source.Next > 4, 200);
        Assert.InRange(source.Next, 1, 4);   // one given out, two held, one on its way in
    }

    [Fact]
    public void NextBatch_CancelledWhileWaiting_LosesNothing()
    {
        var source = new Counting { Block = true };
        using var data = new PrefetchedData(source, 2);
        using var cancel = new CancellationTokenSource(50);
        Assert.ThrowsAny<OperationCanceledException>(() => data.NextBatch(cancel.Token));
        source.Block = false;
        Assert.Equal("0", data.NextBatch()!.Source);
    }

    [Fact]
    public void Dispose_WhileReading_EndsTheThreadAndDisposesTheDataInside()
    {
        var source = new Counting();
        var data = new PrefetchedData(source, 2);
        data.NextBatch();
        source.Block = true;
        data.Dispose();
        data.Dispose();
        Assert.Equal(1, source.Disposed);
        Assert.False(source.LastThread!.IsAlive);
        Assert.Throws<ObjectDisposedException>(() => data.NextBatch());
    }

    [Fact]
    public void Restore_DamagedState_ThrowsAndGoesOnWhereItWas()
    {
        using DomainBatches plain = TestData.Mixed();
        using var ahead = new PrefetchedData(TestData.Mixed(), 4);
        TestData.Take(plain, 4);
        TestData.Take(ahead, 4);
        Assert.Throws<TokenDataException>(() => ahead.Restore(new JsonObject { ["data"] = "other" }));
        Assert.Equal(TestData.Take(plain, 10), TestData.Take(ahead, 10));
    }

    private static DomainBatches Adaptive() => TestData.Mixed(sampler: new LossFollowingSampler(TestData.Shares()));

    private sealed class Counting : ITrainingData
    {
        private volatile int _next;
        private volatile bool _block;
        private volatile int _failAt = -1;

        public int Next => _next;

        public bool Block { set => _block = value; }

        public int FailAt { set => _failAt = value; }

        public int Disposed { get; private set; }

        public Thread? LastThread { get; private set; }

        public TrainingBatch? NextBatch(CancellationToken cancellationToken = default)
        {
            LastThread = Thread.CurrentThread;
            while (_block)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Thread.Sleep(1);
            }

            if (_next == _failAt)
                throw new TokenDataException($"broken at {_next}");
            return new TrainingBatch(new TokenBatch(1, 2, [1, 2]), source: $"{_next++}");
        }

        public JsonObject Describe() => [];

        public JsonObject Save() => new() { ["next"] = _next };

        public void Restore(JsonObject state) => _next = state["next"]!.GetValue<int>();

        public void Dispose() => Disposed++;
    }
}
