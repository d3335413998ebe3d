// Copies a byte range from one file to the end of another: with copy_file_range on Linux (the bytes never enter the process; file systems
// with shared extents do not copy at all), else through a buffer.
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace LlmShearing.Checkpoints;

internal static partial class FileRangeCopy
{
    // Cancellation is checked between pieces.
    private const long Piece = 64L << 20;

    // Below this a call into the kernel for each range costs more than the copy it saves.
    public const long SmallestInKernel = 16 << 10;

    public static void Copy(SafetensorsReader source, long position, Stream target, long length, byte[] buffer, CancellationToken cancellationToken)
    {
        if (target is FileStream file && OperatingSystem.IsLinux() && length >= SmallestInKernel)
        {
            long done = InKernel(source.Handle, position, file, length, cancellationToken);
            position += done;
            length -= done;
        }

        while (length > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Span<byte> part = buffer.AsSpan(0, (int)Math.Min(length, buffer.Length));
            source.ReadFile(position, part);
            target.Write(part);
            position += part.Length;
            length -= part.Length;
        }
    }

    /// <summary>Returns how much was copied; less than asked when the system cannot (other file system, old kernel), never an error.</summary>
    private static long InKernel(SafeFileHandle source, long position, FileStream target, long length, CancellationToken cancellationToken)
    {
        long start = target.Position, done = 0;
        while (done < length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long from = position + done, to = start + done;
            nint n;
            try
            {
                n = CopyFileRange(source, ref from, target.SafeFileHandle, ref to, (nuint)Math.Min(length - done, Piece), 0);
            }
            catch (EntryPointNotFoundException)
            {
                break;
            }

            if (n <= 0)
                break; // the buffered copy repeats the attempt and reports what is wrong
            done += n;
        }

        target.Position = start + done;
        return done;
    }

    [LibraryImport("libc", EntryPoint = "copy_file_range", SetLastError = true)]
    private static partial nint CopyFileRange(SafeFileHandle source, ref long sourcePosition, SafeFileHandle target, ref long targetPosition, nuint length, uint flags);
}
