// Whether TorchSharp's native library loads, asked before TorchSharp is: its own attempt copies packages about and prints a page.
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using TorchSharp;

namespace LlmShearing.Devices;

/// <summary>Starts the tensor library once, and says in plain words why it cannot be started.</summary>
public static partial class TorchRuntime
{
    private const string Shim = "LibTorchSharp", Libtorch = "torch_cpu", NeverCalled = "GLIBCXX_3.4.32";   // of that version nothing is bound: the build step helps

    private static volatile bool s_loaded;

    /// <summary>Loads the native library, the first time; does nothing afterwards.</summary>
    /// <exception cref="TorchUnavailableException">It cannot be loaded.</exception>
    public static void EnsureLoaded()
    {
        if (s_loaded)
            return;
        Assembly assembly = typeof(DeviceType).Assembly;
        if (!FromPackageFolder(assembly.Location))
        {
            // libtorch first, as TorchSharp does it: on its own the shim finds only what lies beside it.
            _ = Load(Libtorch, assembly, out string torchFault);
            if (!Load(Shim, assembly, out string fault))
                throw new TorchUnavailableException(Explain(HasFile(Libtorch), torchFault + "\n" + fault));
        }

        try
        {
            torch.InitializeDeviceType(DeviceType.CPU);
        }
        catch (Exception e) when (e is TypeInitializationException or NotSupportedException or DllNotFoundException or BadImageFormatException or EntryPointNotFoundException)
        {
            Exception cause = e is TypeInitializationException { InnerException: { } inner } ? inner : e;
            throw new TorchUnavailableException(Explain(HasFile(Libtorch), cause.Message), e);
        }

        s_loaded = true;
    }

    /// <summary><paramref name="name"/>, after <see cref="EnsureLoaded"/>: for the arguments of a base constructor.</summary>
    public static string Loaded(string name)
    {
        EnsureLoaded();
        return name;
    }

    /// <summary>What is missing and what helps, from what the system's loader said.</summary>
    internal static string Explain(bool hasLibtorch, string fault)
    {
        string[] versions = [.. MissingVersion().Matches(fault).Select(m => m.Groups[1].Value).Distinct()];
        if (versions.Length > 0)
            return $"TorchSharp's native library asks for {string.Join(", ", versions)}, and the libstdc++ of this system is too old to have it. " + (versions.All(v => v == NeverCalled)
                ? "Build the application again with the property LlmShearingWeakenTorchSharp=true: the build step of the package LlmShearing.Core then makes the library load here."
                : "It needs Debian 12, Ubuntu 22.04 or another system with the libstdc++ of GCC 12, or such a libstdc++.so.6 in a folder that LD_LIBRARY_PATH names.");
        if (fault.Contains("0x8007007F", StringComparison.OrdinalIgnoreCase))
            return "LibTorchSharp.dll does not fit the libtorch that was published with it: TorchSharp 0.107.0 has this fault on Windows " +
                "(https://github.com/dotnet/TorchSharp/issues/1567). Run the application on Linux, for example under WSL 2, or take a TorchSharp version in which it is mended.";
        if (!hasLibtorch)
            return "The application comes without libtorch, the native library that TorchSharp needs. " +
                $"Add one of these packages to the application's project: TorchSharp-cpu, TorchSharp-cuda-linux, TorchSharp-cuda-windows, or libtorch-cpu-{Platform} alone.";
        return "TorchSharp's native library cannot be loaded: " + Line(fault);
    }

    private static string Platform =>
        (OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux") + (RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "-arm64" : "-x64");

    // Scripts and notebooks load TorchSharp from the package cache, and then TorchSharp alone knows where libtorch is.
    private static bool FromPackageFolder(string location) =>
        Path.GetDirectoryName(location) is { Length: > 0 } folder && Path.GetFileName(Path.GetDirectoryName(folder)) == "lib";

    private static bool Load(string name, Assembly assembly, out string fault)
    {
        fault = "";
        try
        {
            NativeLibrary.Load(name, assembly, null);
            return true;
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            fault = e.Message;
            return false;
        }
    }

    private static bool HasFile(string name)
    {
        string file = OperatingSystem.IsWindows() ? name + ".dll" : OperatingSystem.IsMacOS() ? $"lib{name}.dylib" : $"lib{name}.so";
        string folders = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
        return folders.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries).Append(AppContext.BaseDirectory).Any(f => File.Exists(Path.Combine(f, file)));
    }

    // The first line that says more than that a file of some name is not there.
    private static string Line(string fault)
    {
        string[] lines = [.. fault.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Where(l => !l.Contains("strace", StringComparison.Ordinal))];
        return lines.FirstOrDefault(l => l.Contains(": ", StringComparison.Ordinal) && !l.Contains("No such file", StringComparison.Ordinal)) ?? lines.FirstOrDefault() ?? fault;
    }

    [GeneratedRegex(@"version [`'""]?(GLIBCXX_[0-9.]+)[`'""]? not found")]
    private static partial Regex MissingVersion();
}
