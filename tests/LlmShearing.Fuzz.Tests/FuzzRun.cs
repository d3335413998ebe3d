// Reads damaged copies one after another, and says which of them came out otherwise than with an error of ours.
using System.Diagnostics;
using LlmShearing.Testing;

namespace LlmShearing.Fuzz.Tests;

/// <summary>What a run came to.</summary>
/// <param name="Inputs">Copies read.</param>
/// <param name="Accepted">Those that were read without an error.</param>
/// <param name="Failures">A text for each that failed, with what is needed to see it again.</param>
internal sealed record FuzzOutcome(int Inputs, int Accepted, IReadOnlyList<string> Failures);

internal static class FuzzRun
{
    public const int Seed = 20240;
    private const int MaxFailures = 10;
    private const int MaxShownBytes = 48 << 10;

    /// <summary>Longest that one input may take.</summary>
    public static TimeSpan InputTime { get; } = TimeSpan.FromSeconds(5);

    /// <summary>Reads copies until the number or the time is reached.</summary>
    /// <param name="reader">The reader.</param>
    /// <param name="inputs">How many copies at most.</param>
    /// <param name="time">How long at most; at least one copy is read.</param>
    /// <param name="seed">Decides what is damaged.</param>
    /// <param name="first">Number of the first copy.</param>
    /// <param name="inputTime">Longest for one input; null = <see cref="InputTime"/>.</param>
    public static FuzzOutcome Run(FuzzReader reader, int inputs, TimeSpan time, int seed = Seed, int first = 0, TimeSpan? inputTime = null)
    {
        // In memory: readers that write wait for the disk otherwise, and longer the busier it is.
        var folder = new TemporaryFolder(inMemory: true);
        reader.Build(folder.Path);
        string file = folder[reader.File];
        byte[] valid = File.ReadAllBytes(file);
        // The valid files must be read; the second time, what is loaded once is no longer counted as memory of an input.
        reader.Read(folder.Path);

        return Run(reader, folder, inputs, time, first, inputTime ?? InputTime, i =>
        {
            byte[] bytes = Mutator.Mutate(reader, valid, seed, i, out string description);
            File.WriteAllBytes(file, bytes);
            return (bytes, $"{description}; again with LLMSHEARING_FUZZ_REPLAY={reader.Name}:{seed}:{i}");
        });
    }

    /// <summary>Reads what is no file where one is expected: links to nowhere, to themselves and to folders, folders, nothing.</summary>
    /// <param name="reader">The reader.</param>
    public static FuzzOutcome RunOdd(FuzzReader reader)
    {
        var folder = new TemporaryFolder(inMemory: true);
        reader.Build(folder.Path);
        string file = folder[reader.File];
        (string What, Action Make)[] odd =
        [
            ("nothing there", () => { }),
            ("a folder", () => Directory.CreateDirectory(file)),
            ("a link to itself", () => File.CreateSymbolicLink(file, file)),
            ("a link to nothing", () => File.CreateSymbolicLink(file, folder["nowhere"])),
            ("a link to its folder", () => Directory.CreateSymbolicLink(file, Path.GetDirectoryName(file)!)),
        ];
        return Run(reader, folder, odd.Length, TimeSpan.FromMinutes(1), 0, InputTime, i =>
        {
            Copies.Remove(file);
            odd[i].Make();
            return ([], odd[i].What);
        });
    }

    private static FuzzOutcome Run(FuzzReader reader, TemporaryFolder folder, int inputs, TimeSpan time, int first, TimeSpan inputTime, Func<int, (byte[] Bytes, string Description)> prepare)
    {
        var failures = new List<string>();
        int done = 0, accepted = 0;
        long started = 0;
        string running = "";
        var thread = new Thread(() =>
        {
            var clock = Stopwatch.StartNew();
            for (int i = first; i < first + inputs && failures.Count < MaxFailures && (i == first || clock.Elapsed < time); i++)
            {
                (byte[] bytes, string description) = prepare(i);
                string Report(string what) => $"{reader.Name}: {what}\n  {description}\n  base64 of {bytes.Length} bytes: " +
                    Convert.ToBase64String(bytes.AsSpan(0, Math.Min(bytes.Length, MaxShownBytes))) + (bytes.Length > MaxShownBytes ? "..." : "");
                Volatile.Write(ref running, Report($"took more than {inputTime}"));
                Volatile.Write(ref started, Stopwatch.GetTimestamp());
                long before = GC.GetAllocatedBytesForCurrentThread();
                try
                {
                    reader.Read(folder.Path);
                    accepted++;
                }
                catch (ShearingException)
                {
                    // What is wanted.
                }
                catch (Exception e)
                {
                    failures.Add(Report(e.ToString()));
                }

                Volatile.Write(ref started, 0);
                long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                if (allocated > reader.MaxBytes + (64L * bytes.Length))
                    failures.Add(Report($"allocated {allocated} bytes"));
                done++;
            }
        }) { IsBackground = true };
        thread.Start();
        while (!thread.Join(100))
            if (Volatile.Read(ref started) is var since and not 0 && Stopwatch.GetElapsedTime(since) > inputTime)
                // It cannot be stopped: it and its folder stay until the process ends.
                return new FuzzOutcome(done + 1, accepted, [.. failures, running]);
        folder.Dispose();
        return new FuzzOutcome(done, accepted, failures);
    }
}
