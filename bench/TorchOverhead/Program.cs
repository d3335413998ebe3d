// What a call through the drop-in costs, against the same call from C++ in the same process, as JSON.
// Rounds alternate between both and the fastest of each counts, so that other work on the machine disturbs little.
//   dotnet run -c Release --project bench/TorchOverhead
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using TorchSharp;

using IDisposable noGradients = torch.no_grad();
_ = torch.get_num_threads(); // loads the bridge

using torch.Tensor four = torch.ones(4), four2 = torch.ones(4);
(double managed, double native) add = Compare(15, 200_000, calls => Measure(calls, () => four + four2), Bench.Add);

const int Size = 1024;
using torch.Tensor a = torch.randn(Size, Size), b = torch.randn(Size, Size);
(double managed, double native) product = Compare(15, 4, calls => Measure(calls, () => a.matmul(b)), calls => Bench.Matmul(Size, calls));

Console.WriteLine("{");
Print("add_4_elements", add, "us", 1e6, ",");
Print("matmul_1024", product, "ms", 1e3, "");
Console.WriteLine("}");

static (double Managed, double Native) Compare(int rounds, long calls, Func<long, double> managed, Func<long, double> native)
{
    managed(calls);
    native(calls);
    double bestManaged = double.MaxValue, bestNative = double.MaxValue;
    for (int i = 0; i < rounds; i++)
    {
        bestManaged = Math.Min(bestManaged, managed(calls));
        bestNative = Math.Min(bestNative, native(calls));
    }

    return (bestManaged, bestNative);
}

static double Measure(long calls, Func<torch.Tensor> operation)
{
    long start = Stopwatch.GetTimestamp();
    for (long i = 0; i < calls; i++) operation().Dispose();
    return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
}

static void Print(string name, (double Managed, double Native) times, string unit, double factor, string comma) =>
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"  \"{name}\": {{ \"managed_{unit}\": {times.Managed * factor:F3}, \"cpp_{unit}\": {times.Native * factor:F3}, \"ratio\": {times.Managed / times.Native:F3} }}{comma}"));

internal static partial class Bench
{
    internal static double Add(long calls) => lts_bench_add(calls);
    internal static double Matmul(long size, long calls) => lts_bench_matmul(size, calls);

    // The bridge lies beside the program; the drop-in has loaded it already.
    [DllImport("libLlmShearingTorch.so"), DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory)]
    private static extern double lts_bench_add(long calls);

    [DllImport("libLlmShearingTorch.so"), DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory)]
    private static extern double lts_bench_matmul(long size, long calls);
}
