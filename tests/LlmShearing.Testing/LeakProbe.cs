// Native memory is invisible to the garbage collector, so tests count live tensors.
using TorchSharp;
using Xunit;

namespace LlmShearing.Testing;

/// <summary>Checks that an operation frees the tensors it makes.</summary>
public static class LeakProbe
{
    private static readonly Lock Gate = new();

    /// <summary>
    /// Runs the operation once to warm up, then <paramref name="repeats"/> times, and fails when live tensors grew.
    /// Exceptions of the operation are swallowed when <paramref name="mayThrow"/> is set, to probe cancelled runs.
    /// The count is of the whole process: put test classes that use this into a collection with DisableParallelization.
    /// </summary>
    /// <param name="operation">What to run.</param>
    /// <param name="repeats">Measured runs.</param>
    /// <param name="parametersPerRun">Parameters that each run constructs: every construction raises TorchSharp's counter by one for good.</param>
    /// <param name="mayThrow">Whether exceptions are expected.</param>
    public static void AssertNoGrowth(Action operation, int repeats = 3, int parametersPerRun = 0, bool mayThrow = false)
    {
        lock (Gate)
        {
            Run(operation, mayThrow);
            Settle();
            long before = torch.Tensor.TotalCount;
            for (int i = 0; i < repeats; i++)
                Run(operation, mayThrow);
            long grown = torch.Tensor.TotalCount - before - ((long)repeats * parametersPerRun);
            Assert.True(grown <= 0, $"{grown} tensors are left after {repeats} runs.");
        }
    }

    private static void Run(Action operation, bool mayThrow)
    {
        try
        {
            operation();
        }
        catch (Exception) when (mayThrow)
        {
        }
    }

    // Before the measurement only: afterwards it would hide exactly the tensors that nobody disposed.
    private static void Settle()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }
}
