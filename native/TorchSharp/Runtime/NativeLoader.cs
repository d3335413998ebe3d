// Finds the bridge library, prepares the process for it (processor, idle threads, thread counts), and says what to do when it is missing.
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace TorchSharp.Runtime;

internal static class NativeLoader
{
    private const string FileName = "libLlmShearingTorch.so";

#pragma warning disable CA2255 // the resolver must be in place before the first native call, wherever it comes from
    [ModuleInitializer]
    internal static void Initialize() => NativeLibrary.SetDllImportResolver(typeof(NativeLoader).Assembly, Resolve);
#pragma warning restore CA2255

    private static nint bridge;
    private static readonly Lock gate = new();

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != "LlmShearingTorch") return 0;
        lock (gate)
        {
            if (bridge == 0) bridge = Load(assembly);
            return bridge;
        }
    }

    private static nint Load(Assembly assembly)
    {
        if (OperatingSystem.IsLinux())
        {
            NameTheProcessor();
            ShareTheCores();
        }

        string?[] folders = [Path.GetDirectoryName(assembly.Location), AppContext.BaseDirectory];
        string reason = "the file is not there";
        foreach (string? folder in folders)
        {
            string file = Path.Combine(folder ?? "", FileName);
            if (!File.Exists(file)) continue;
            try
            {
                nint library = NativeLibrary.Load(file);
                UseAllCores(library);
                return library;
            }
            catch (DllNotFoundException e)
            {
                reason = e.Message;
            }
        }

        throw new DllNotFoundException(
            $"Cannot load {FileName} beside {assembly.GetName().Name}.dll ({reason}). "
            + "Run `./build.sh setup` (it installs libtorch where it can and builds the bridge), then build again.");
    }

    // libtorch's own default is one thread in some builds. The caller may change it through torch.set_num_threads.
    private static unsafe void UseAllCores(nint library)
    {
        int threads = int.TryParse(Environment.GetEnvironmentVariable("OMP_NUM_THREADS"), out int wanted) && wanted > 0
            ? wanted : Environment.ProcessorCount;
        ((delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "lts_set_num_threads"))(threads);
    }

    // OpenBLAS goes by a list of processor models. One that is newer than the list gets kernels for SSE3: a quarter of the speed on an Emerald
    // Rapids with OpenBLAS 0.3.21. So it is told what the processor can do; builds for a single processor do not read this. A setting of the user's stays.
    private static void NameTheProcessor()
    {
        bool avx512 = Avx512F.IsSupported && Avx512BW.IsSupported && Avx512CD.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported;
        if (avx512)
            _ = setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
        else if (Avx2.IsSupported && Fma.IsSupported)
            _ = setenv("OPENBLAS_CORETYPE", "Haswell", 0);
    }

    // OpenMP's and OpenBLAS's idle threads spin by default, each stealing the cores that the other needs next: a decoder
    // block took a third less processor time without. Both read the C environment when they are loaded, with the bridge.
    private static void ShareTheCores()
    {
        if (Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null) _ = setenv("GOMP_SPINCOUNT", "1000", 0);
        _ = setenv("OPENBLAS_THREAD_TIMEOUT", "4", 0);
    }

    [DllImport("libc", CharSet = CharSet.Ansi)]
    private static extern int setenv(string name, string value, int overwrite);
}
