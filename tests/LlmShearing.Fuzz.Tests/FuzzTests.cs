// Damaged copies of every format that can be read: nothing but errors of ours may come out, in bounded time and memory.
using System.Globalization;
using Xunit.Abstractions;

[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace LlmShearing.Fuzz.Tests;

/// <summary>
/// LLMSHEARING_FUZZ_SECONDS: time of all readers together (default 60). LLMSHEARING_FUZZ_INPUTS: copies for each reader (default 400; without bound when only the seconds are given).
/// LLMSHEARING_FUZZ_SEED: another seed. LLMSHEARING_FUZZ_REPLAY=reader:seed:number: reads that one copy alone.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    public static TheoryData<string> Names => [.. FuzzReaders.All.Select(r => r.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void DamagedCopies_OnlyOurErrors(string name)
    {
        FuzzReader reader = FuzzReaders.All.Single(r => r.Name == name);
        FuzzOutcome outcome;
        if (Variable("REPLAY") is { } replay)
        {
            string[] parts = replay.Split(':');
            if (parts[0] != name)
                return;
            outcome = FuzzRun.Run(reader, 1, TimeSpan.FromMinutes(1), Number(parts[1]), Number(parts[2]));
        }
        else
        {
            int inputs = Variable("INPUTS") is { } wanted ? Number(wanted) : Variable("SECONDS") is null ? 400 : int.MaxValue;
            double seconds = Variable("SECONDS") is { } all ? Number(all) : Variable("INPUTS") is null ? 60 : 1e6;
            outcome = FuzzRun.Run(reader, inputs, TimeSpan.FromSeconds(seconds / FuzzReaders.All.Count), Variable("SEED") is { } seed ? Number(seed) : FuzzRun.Seed);
        }

        string figures = $"fuzz {name}: {outcome.Inputs} inputs, {outcome.Accepted} read, {outcome.Failures.Count} faults";
        output.WriteLine(figures);
        Console.WriteLine(figures);
        Assert.True(outcome.Failures.Count == 0, string.Join("\n", outcome.Failures));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void NoFileWhereOneIsExpected_OnlyOurErrors(string name)
    {
        FuzzOutcome outcome = FuzzRun.RunOdd(FuzzReaders.All.Single(r => r.Name == name));
        Assert.True(outcome.Failures.Count == 0, string.Join("\n", outcome.Failures));
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable("LLMSHEARING_FUZZ_" + name) is { Length: > 0 } value ? value : null;

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
