// What the user reads when TorchSharp's native library does not load, from what loaders say.
using LlmShearing.Devices;

namespace LlmShearing.Core.Tests.Execution;

public class TorchRuntimeTests
{
    [Theory]
    [InlineData(true, "Unable to load\n/lib/x86_64-linux-gnu/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by /app/libLibTorchSharp.so)\n", "GLIBCXX_3.4.32, and the libstdc++ of this system is too old to have it. Build the application again with the property LlmShearingWeakenTorchSharp=true")]
    [InlineData(true, "/lib64/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /app/libLibTorchSharp.so)\n", "It needs Debian 12, Ubuntu 22.04")]
    [InlineData(true, "Unable to load DLL 'LibTorchSharp' or one of its dependencies: The specified procedure could not be found. (0x8007007F)", "TorchSharp/issues/1567")]
    [InlineData(false, "libtorch.so: cannot open shared object file: No such file or directory", "TorchSharp-cpu, TorchSharp-cuda-linux, TorchSharp-cuda-windows, or libtorch-cpu-")]
    [InlineData(true, "Unable to load shared library\n/app/libX.so: cannot open shared object file: No such file or directory\n/app/libLibTorchSharp.so: invalid ELF header", "cannot be loaded: /app/libLibTorchSharp.so: invalid ELF header")]
    public void Explain_SaysWhatHelps_InOneLine(bool hasLibtorch, string fault, string expected)
    {
        string message = TorchRuntime.Explain(hasLibtorch, fault);
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void EnsureLoaded_Here_Succeeds()
    {
        TorchRuntime.EnsureLoaded();
        Assert.Equal("name", TorchRuntime.Loaded("name"));
    }
}
