// Pieces of work over plain memory, on as many threads as libtorch uses.
using static TorchSharp.torch;

namespace LlmShearing.Devices;

/// <summary>Work on plain memory, shared out to the threads that the tensor library would use.</summary>
public static class HostThreads
{
    /// <summary>Runs every piece once, in any order. Pieces must not touch tensors: dispose scopes are per thread.</summary>
    /// <param name="count">Number of pieces.</param>
    /// <param name="work">Takes the 0-based index of a piece.</param>
    public static void For(int count, Action<int> work)
    {
        int threads = Math.Min(get_num_threads(), count);
        if (threads > 1)
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads }, work);
        else
            for (int i = 0; i < count; i++)
                work(i);
    }
}
