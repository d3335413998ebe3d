// The few functions of the system's libzstd that decompressing needs. .NET has no Zstandard of its own.
using System.Reflection;
using System.Runtime.InteropServices;

namespace LlmShearing.Data.Compression;

internal static partial class Zstd
{
    private const string Library = "libzstd";
    private static readonly string[] Names = ["libzstd.so.1", "libzstd.so", "libzstd.1.dylib", "libzstd.dylib", "libzstd.dll", "zstd.dll"];
    private static readonly nint Handle = Load();

    static Zstd()
    {
        if (Handle != 0)
            NativeLibrary.SetDllImportResolver(typeof(Zstd).Assembly, (name, _, _) => name == Library ? Handle : 0);
    }

    /// <summary>Whether the library was found.</summary>
    public static bool IsAvailable => Handle != 0;

    /// <exception cref="TokenDataException">The library was not found.</exception>
    public static void Require(string path)
    {
        if (!IsAvailable)
            throw new TokenDataException($"{path} is compressed with Zstandard, which needs the system's libzstd; it was not found. Install it (Debian: libzstd1, macOS: brew install zstd), or decompress the file first.");
    }

    /// <summary>Decompresses one or more frames that give exactly as many bytes as there is room for.</summary>
    /// <returns>Null when that went well, else what is wrong.</returns>
    public static string? Decompress(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        nuint result = ZSTD_decompress(destination, (nuint)destination.Length, source, (nuint)source.Length);
        return Error(result) ?? (result == (nuint)destination.Length ? null : $"it gives {result} bytes");
    }

    public static string? Error(nuint result) => ZSTD_isError(result) != 0 ? Marshal.PtrToStringUTF8(ZSTD_getErrorName(result)) : null;

    private static nint Load()
    {
        foreach (string name in Names)
            if (NativeLibrary.TryLoad(name, Assembly.GetExecutingAssembly(), DllImportSearchPath.SafeDirectories, out nint handle))
                return handle;
        return 0;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Buffer
    {
        public nint Data;
        public nuint Size;
        public nuint Position;
    }

    [LibraryImport(Library)]
    private static partial nuint ZSTD_decompress(Span<byte> destination, nuint capacity, ReadOnlySpan<byte> source, nuint size);

    [LibraryImport(Library)]
    private static partial uint ZSTD_isError(nuint result);

    [LibraryImport(Library)]
    private static partial nint ZSTD_getErrorName(nuint result);

    [LibraryImport(Library, EntryPoint = "ZSTD_createDStream")]
    public static partial nint CreateStream();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeDStream")]
    public static partial nuint FreeStream(nint stream);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressStream")]
    public static partial nuint DecompressStream(nint stream, ref Buffer output, ref Buffer input);
}
