// The harness can fail: readers that do what none may do are caught, and the same number gives the same copy.
namespace LlmShearing.Fuzz.Tests;

public sealed class HarnessTests
{
    private static readonly byte[] Valid = "{\"a\":[1,\"two\"],\"b\":{\"c\":null}}"u8.ToArray();

    [Fact]
    public void UntypedException_IsCaught()
    {
        FuzzOutcome outcome = Run(f =>
        {
            if (!File.ReadAllBytes(Path.Combine(f, "x.json")).AsSpan().SequenceEqual(Valid))
                throw new InvalidOperationException("on purpose");
        });
        Assert.NotEmpty(outcome.Failures);
        Assert.Contains("on purpose", outcome.Failures[0], StringComparison.Ordinal);
        Assert.Contains($"LLMSHEARING_FUZZ_REPLAY=harness:{FuzzRun.Seed}:0", outcome.Failures[0], StringComparison.Ordinal);
        Assert.Contains("base64", outcome.Failures[0], StringComparison.Ordinal);
    }

    [Fact]
    public void LargeAllocation_IsCaught() => Assert.Contains("allocated", Run(_ => GC.KeepAlive(new byte[64 << 20])).Failures[0], StringComparison.Ordinal);

    [Fact]
    public void Hang_IsCaught()
    {
        FuzzOutcome outcome = Run(f => Thread.Sleep(File.ReadAllBytes(Path.Combine(f, "x.json")).AsSpan().SequenceEqual(Valid) ? 0 : 2000), TimeSpan.FromSeconds(0.2));
        Assert.Contains("took more than", outcome.Failures[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void OurErrors_AreNoFailures()
    {
        bool first = true;
        FuzzOutcome outcome = Run(_ =>
        {
            if (!first)
                throw new PlanException("on purpose");
            first = false;
        });
        Assert.Empty(outcome.Failures);
        Assert.Equal((20, 0), (outcome.Inputs, outcome.Accepted));
    }

    [Fact]
    public void Copies_AreTheSameAgain_AndDiffer()
    {
        FuzzReader reader = Reader(_ => { });
        string[] copies = [.. Enumerable.Range(0, 100).Select(i => Convert.ToHexString(Mutator.Mutate(reader, Valid, 1, i, out _)))];
        Assert.Equal(copies, Enumerable.Range(0, 100).Select(i => Convert.ToHexString(Mutator.Mutate(reader, Valid, 1, i, out _))));
        Assert.True(copies.Distinct().Count() > 60);
    }

    private static FuzzOutcome Run(Action<string> read, TimeSpan? inputTime = null) => FuzzRun.Run(Reader(read), 20, TimeSpan.FromSeconds(30), inputTime: inputTime);

    private static FuzzReader Reader(Action<string> read) => new("harness", "x.json", FuzzShape.Json, f => File.WriteAllBytes(Path.Combine(f, "x.json"), Valid), read);
}
