// OpenBLAS must compute with kernels for this processor, also when it is newer than OpenBLAS's list of models.
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using TorchSharp;

namespace TorchSharpTests;

public class ProcessorTests
{
    [ProcessorFact]
    public void OpenBlas_ProcessorWithAvx2_HasKernelsForIt()
    {
        torch.zeros(1).Dispose();   // loads the bridge, and OpenBLAS with it

        string core = Marshal.PtrToStringAnsi(openblas_get_corename())!;

        Assert.DoesNotContain(core, ["Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Generic", "Unknown"], StringComparer.OrdinalIgnoreCase);
    }

    [DllImport("libopenblas.so.0")]
    private static extern nint openblas_get_corename();

    private sealed class ProcessorFactAttribute : FactAttribute
    {
        public ProcessorFactAttribute()
        {
            if (!Avx2.IsSupported || !Fma.IsSupported)
                Skip = "this processor has no AVX2";
            else if (Environment.GetEnvironmentVariable("LIBTORCH") is { Length: > 0 })
                Skip = "LIBTORCH names a build that may compute without OpenBLAS";
        }
    }
}
