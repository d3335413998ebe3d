// Gives two folders each other's name in one step, where the system can: nobody ever sees neither of them.
using System.Runtime.InteropServices;
using System.Text;

namespace LlmShearing.Files;

internal static class FolderExchange
{
    private const int CurrentFolder = -100;
    private const uint ExchangeOnLinux = 2;
    private const uint SwapOnMac = 2;

    public static bool Try(string a, string b)
    {
        try
        {
            return OperatingSystem.IsLinux() ? RenameAt2(CurrentFolder, Bytes(a), CurrentFolder, Bytes(b), ExchangeOnLinux) == 0
                : OperatingSystem.IsMacOS() && RenameX(Bytes(a), Bytes(b), SwapOnMac) == 0;
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            return false;   // an older C library
        }
    }

    private static byte[] Bytes(string path) => Encoding.UTF8.GetBytes(path + "\0");

    [DllImport("libc", EntryPoint = "renameat2", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int RenameAt2(int oldFolder, byte[] oldPath, int newFolder, byte[] newPath, uint flags);

    [DllImport("libc", EntryPoint = "renamex_np", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int RenameX(byte[] from, byte[] to, uint flags);
}
