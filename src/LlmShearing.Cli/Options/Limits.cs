// The largest numbers that a setting takes: far beyond what anybody runs, and small enough that nothing overflows or hangs before it is refused.
namespace LlmShearing.Cli.Options;

internal static class Limits
{
    /// <summary>Rows of an optimizer step, or samples of a calibration.</summary>
    public const int Rows = 1 << 20;

    /// <summary>Rows that go through a model together.</summary>
    public const int MicroBatch = 1 << 16;

    /// <summary>Tokens of a row.</summary>
    public const int RowLength = 1 << 24;

    /// <summary>Rank of an adapter.</summary>
    public const int Rank = 1 << 16;

    public const long Steps = int.MaxValue;

    /// <summary>Tokens of a training run.</summary>
    public const long Tokens = 1L << 50;

    /// <summary>More threads than this do not fit into memory on small machines: the native runtime would end the process.</summary>
    public static int Threads { get; } = Math.Max(256, 4 * Environment.ProcessorCount);
}
