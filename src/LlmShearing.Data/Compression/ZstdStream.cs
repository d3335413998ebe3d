using System.Runtime.InteropServices;

namespace LlmShearing.Data.Compression;

/// <summary>Decompresses Zstandard frames as they come; refuses data that end inside a frame.</summary>
internal sealed class ZstdStream : ReadOnlyStream
{
    private readonly Stream _source;
    private readonly byte[] _input = GC.AllocateUninitializedArray<byte>(1 << 17, pinned: true);
    private nint _stream;
    private Zstd.Buffer _pending;
    private bool _insideFrame;

    /// <param name="source">Compressed data; not disposed.</param>
    /// <param name="path">Where it is from, for messages.</param>
    public ZstdStream(Stream source, string path)
    {
        Zstd.Require(path);
        _source = source;
        _stream = Zstd.CreateStream();
        if (_stream == 0)
            throw new InsufficientMemoryException("libzstd has no memory for a stream.");
        _pending.Data = Marshal.UnsafeAddrOfPinnedArrayElement(_input, 0);
    }

    public override unsafe int Read(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_stream == 0, this);
        if (buffer.IsEmpty)
            return 0;
        fixed (byte* data = buffer)
        {
            var output = new Zstd.Buffer { Data = (nint)data, Size = (nuint)buffer.Length };
            while (true)
            {
                // A call may give output that it kept from earlier input, so it comes before reading more.
                if (_pending.Position < _pending.Size || _insideFrame)
                {
                    nuint before = _pending.Position;
                    nuint result = Zstd.DecompressStream(_stream, ref output, ref _pending);
                    if (Zstd.Error(result) is { } error)
                        throw new InvalidDataException($"the Zstandard data are damaged: {error}.");
                    _insideFrame = result != 0;
                    if (output.Position > 0)
                        return (int)output.Position;
                    if (_pending.Position > before)
                        continue;
                }

                int read = _source.Read(_input);
                if (read == 0)
                    return _insideFrame ? throw new InvalidDataException("the Zstandard data are cut short.") : 0;
                (_pending.Position, _pending.Size) = (0, (nuint)read);
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (_stream != 0)
            _ = Zstd.FreeStream(_stream);
        _stream = 0;
        base.Dispose(disposing);
    }
}
