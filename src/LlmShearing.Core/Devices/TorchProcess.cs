// Settings of a whole process that make libtorch fast on the CPU. They belong to the application, so nothing here happens unless it asks.
using System.Runtime.InteropServices;

namespace LlmShearing.Devices;

/// <summary>Settings for an application whose main work is this library's, as that of the tool <c>shear</c> is.</summary>
public static partial class TorchProcess
{
    private const int TrimThreshold = -1, MmapThreshold = -3, ArenaMaximum = -8;
    private static int s_prepared;

    /// <summary>
    /// Call it first, before any tensor is made; later it has no effect. Does nothing but on Linux, and keeps what the environment sets already.
    /// <list type="bullet">
    /// <item>Threads of libtorch wait asleep for their next piece of work instead of spinning (GOMP_SPINCOUNT). With other work on the machine spinning makes a step many times slower.</item>
    /// <item>The C library keeps freed memory instead of returning it after every operator and faulting it in anew (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of glibc). The process
    /// then holds on to the most memory that it ever needed.</item>
    /// </list>
    /// </summary>
    public static void Prepare()
    {
        if (!OperatingSystem.IsLinux() || Interlocked.Exchange(ref s_prepared, 1) != 0)
            return;
        try
        {
            // Set in the C library's environment: libgomp reads that when it is loaded, and .NET keeps a copy of its own.
            if (Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null)
                _ = SetEnvironment("GOMP_SPINCOUNT", "1000", 0);
            if (Environment.GetEnvironmentVariable("MALLOC_TRIM_THRESHOLD_") is null)
                _ = SetAllocator(TrimThreshold, int.MaxValue);
            if (Environment.GetEnvironmentVariable("MALLOC_MMAP_THRESHOLD_") is null)
                _ = SetAllocator(MmapThreshold, 1 << 30);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // Another C library than glibc: it has no such settings.
        }
    }

    /// <summary>
    /// From now on the C library returns freed memory at once. Slower by some percent; for models that are streamed because there is little memory. Does nothing but on Linux with glibc.
    /// </summary>
    public static void ReturnFreedMemory()
    {
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            _ = SetAllocator(ArenaMaximum, 1);
            _ = SetAllocator(TrimThreshold, 1 << 20);
            _ = SetAllocator(MmapThreshold, 1 << 18);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // As in Prepare.
        }
    }

    [LibraryImport("libc.so.6", EntryPoint = "mallopt")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetAllocator(int parameter, int value);

    [LibraryImport("libc.so.6", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
