// GZipStream takes a file that is cut short for a shorter file. Here its end must be seen.
using System.IO.Compression;

namespace LlmShearing.Data.Compression;

/// <summary>
/// Decompresses gzip, several members in a row included, and refuses data that end early or go on with something else. It does so by reading one
/// more member, made up here, behind the source: that member comes out only when everything before it was complete.
/// </summary>
internal sealed class CompleteGZipStream : ReadOnlyStream
{
    private static readonly byte[] Sentinel = "end of the source"u8.ToArray();

    private readonly GZipStream _gzip;
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;
    private bool _ended;

    /// <param name="source">Compressed data; not disposed.</param>
    public CompleteGZipStream(Stream source) => _gzip = new GZipStream(new Appended(source, Compress(Sentinel)), CompressionMode.Decompress);

    public override int Read(Span<byte> buffer)
    {
        // The last bytes are held back until it is known whether they are the sentinel.
        while (!_ended && _end - _start <= Sentinel.Length)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
            int read = _gzip.Read(_buffer, _end, _buffer.Length - _end);
            _end += read;
            if (read > 0)
                continue;
            _ended = true;
            if (!_buffer.AsSpan(0, _end).EndsWith(Sentinel))
                throw new InvalidDataException("the gzip data are cut short or followed by something else.");
            _end -= Sentinel.Length;
        }

        int give = Math.Min(buffer.Length, _ended ? _end - _start : _end - _start - Sentinel.Length);
        _buffer.AsSpan(_start, give).CopyTo(buffer);
        _start += give;
        return give;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _gzip.Dispose();
        base.Dispose(disposing);
    }

    private static byte[] Compress(byte[] data)
    {
        using var result = new MemoryStream();
        using (var gzip = new GZipStream(result, CompressionLevel.NoCompression))
            gzip.Write(data);
        return result.ToArray();
    }

    private sealed class Appended(Stream first, byte[] second) : ReadOnlyStream
    {
        private int _given;

        public override int Read(Span<byte> buffer)
        {
            int read = _given == 0 ? first.Read(buffer) : 0;
            if (read > 0)
                return read;
            int give = Math.Min(buffer.Length, second.Length - _given);
            second.AsSpan(_given, give).CopyTo(buffer);
            _given += give;
            return give;
        }
    }
}
