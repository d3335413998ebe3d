// Moves the bytes of a slice from the source file to a sink. Long runs of whole rows are copied by the kernel; everything else goes
// through fixed tiles: read a stretch of rows, gather the kept columns, and write them while the next stretch is read.
using System.Runtime.InteropServices;
using LlmShearing.Checkpoints;

namespace LlmShearing.Surgery;

internal sealed class SliceCopier(LlamaCheckpoint source) : IDisposable
{
    // Large enough to hide the cost of a system call, small enough that what is read is still in the core's cache when it is gathered.
    private const int TileBytes = 1 << 20;

    // Whole rows in a run at least this long skip the tile.
    private const long LongRunBytes = FileRangeCopy.SmallestInKernel;

    private readonly byte[] _input = GC.AllocateUninitializedArray<byte>(TileBytes + ColumnGather.Slack, pinned: true);
    private readonly List<(int Offset, int Rows)> _pieces = [];
    private readonly TileQueue _queue = new(TileBytes + ColumnGather.Slack);
    private float[]? _floats;

    public void Copy(TensorSlice slice, TensorSink sink)
    {
        if (slice.Source is not CheckpointTensor tensor)
        {
            Fill(slice, sink);
            return;
        }

        var job = new Job(tensor, slice, sink, tensor.Shape[^1]);
        if (job.InputRowBytes > TileBytes || job.OutputRowBytes > TileBytes)
        {
            CopyWideRows(job);
            return;
        }

        try
        {
            CopyRows(job);
            _queue.Drain();
        }
        finally
        {
            // After an error a write may still be under way; the file must not be closed under it.
            _queue.Settle();
        }
    }

    public void Dispose() => _queue.Dispose();

    /// <summary>Rows too wide for a tile: copied a piece of a column run at a time.</summary>
    private void CopyWideRows(Job job)
    {
        foreach (UnitRun rows in job.Slice.Rows.Runs)
            for (long r = 0; r < rows.Length; r++)
                foreach (UnitRun columns in job.Slice.Columns.Runs)
                    for (long c = 0; c < columns.Length;)
                    {
                        int n = (int)Math.Min(TileBytes / job.ElementSize, columns.Length - c);
                        Span<byte> part = _input.AsSpan(0, n * job.ElementSize);
                        if (rows.Source < 0 || columns.Source < 0)
                            part.Clear();
                        else
                            source.ReadBytes(job.Tensor, (((rows.Source + r) * job.InputColumns) + columns.Source + c) * job.ElementSize, part);
                        Emit(job, part);
                        c += n;
                    }
    }

    private void CopyRows(Job job)
    {
        int tileRows = (int)Math.Min(TileBytes / Math.Max(1, Math.Max(job.InputRowBytes, job.OutputRowBytes)), int.MaxValue);
        long inputStart = -1;
        int outputRows = 0;
        foreach (UnitRun run in job.Slice.Rows.Runs)
        {
            if (job.WholeRows && run.Source >= 0 && run.Length * job.InputRowBytes >= LongRunBytes)
            {
                Flush(job, ref inputStart, ref outputRows);
                long position = job.FilePosition(run.Source), bytes = run.Length * job.InputRowBytes;
                _queue.Send(_queue.Take(), 0, (buffer, _) => job.Sink.CopyFrom(job.Tensor.Reader, position, bytes, buffer));
                continue;
            }

            for (long done = 0; done < run.Length;)
            {
                long row = run.Source < 0 ? -1 : run.Source + done;
                // A tile holds rows of one stretch of the source, at most tileRows long including those that are skipped.
                if (outputRows == tileRows || (row >= 0 && inputStart >= 0 && (row < inputStart || row - inputStart >= tileRows)))
                    Flush(job, ref inputStart, ref outputRows);
                if (row >= 0 && inputStart < 0)
                    inputStart = row;
                int n = (int)Math.Min(run.Length - done, tileRows - outputRows);
                if (row >= 0)
                    n = (int)Math.Min(n, tileRows - (row - inputStart));
                _pieces.Add((row < 0 ? -1 : (int)(row - inputStart), n));
                outputRows += n;
                done += n;
            }
        }

        Flush(job, ref inputStart, ref outputRows);
    }

    /// <summary>Reads the source rows of the tile, gathers, writes.</summary>
    private void Flush(Job job, ref long inputStart, ref int outputRows)
    {
        if (outputRows == 0)
            return;
        ReadPieces(job, inputStart);
        byte[] tile = _queue.Take();
        int at = 0;
        foreach ((int offset, int rows) in _pieces)
        {
            if (offset < 0)
                tile.AsSpan(at, rows * (int)job.OutputRowBytes).Clear();
            else
                job.Gather.Rows(_input.AsSpan(offset * (int)job.InputRowBytes), tile.AsSpan(at), rows, (int)job.InputRowBytes, (int)job.OutputRowBytes);
            at += rows * (int)job.OutputRowBytes;
        }

        _queue.Send(tile, at, (bytes, length) => Emit(job, bytes.AsSpan(0, length)));
        _pieces.Clear();
        inputStart = -1;
        outputRows = 0;
    }

    /// <summary>One read for the whole stretch when most of it is wanted, else one for each piece.</summary>
    private void ReadPieces(Job job, long inputStart)
    {
        if (inputStart < 0)
            return;
        long rowBytes = job.InputRowBytes, used = 0, end = 0;
        foreach ((int offset, int rows) in _pieces)
            if (offset >= 0)
                (used, end) = (used + rows, offset + rows);
        if (used * 2 >= end || rowBytes < 4096)
        {
            source.ReadBytes(job.Tensor, inputStart * rowBytes, _input.AsSpan(0, (int)(end * rowBytes)));
            return;
        }

        foreach ((int offset, int rows) in _pieces)
            if (offset >= 0)
                source.ReadBytes(job.Tensor, (inputStart + offset) * rowBytes, _input.AsSpan((int)(offset * rowBytes), (int)(rows * rowBytes)));
    }

    /// <summary>Writes source elements, converted when the sink stores another type.</summary>
    private void Emit(Job job, ReadOnlySpan<byte> bytes)
    {
        SafetensorsDtype dtype = job.Tensor.Dtype;
        if (dtype == job.Sink.Tensor.Dtype)
        {
            job.Sink.Write(bytes);
            return;
        }

        _floats ??= new float[TileBytes / 2];
        Span<float> values = _floats.AsSpan(0, bytes.Length / job.ElementSize);
        DtypeConversion.ToFloat32(dtype, bytes, values);
        if (dtype == SafetensorsDtype.F64)
            RefuseOverflow(job, MemoryMarshal.Cast<byte, double>(bytes), values);
        job.Sink.WriteFloat32(values);
    }

    private static void RefuseOverflow(Job job, ReadOnlySpan<double> before, ReadOnlySpan<float> after)
    {
        for (int i = 0; i < before.Length; i++)
            if (float.IsInfinity(after[i]) && double.IsFinite(before[i]))
                throw new CheckpointException($"'{job.Tensor.Name}' has the value {before[i]}, which float32 cannot hold.");
    }

    private void Fill(TensorSlice slice, TensorSink sink)
    {
        long left = slice.Rows.Count * slice.Columns.Count;
        int chunk = (int)Math.Min(left, TileBytes / sizeof(float));
        Span<float> values = MemoryMarshal.Cast<byte, float>(_input.AsSpan(0, TileBytes))[..chunk];
        values.Fill(slice.Fill);
        for (; left > 0; left -= Math.Min(left, chunk))
            sink.WriteFloat32(values[..(int)Math.Min(left, chunk)]);
    }

    /// <summary>The numbers of one copy.</summary>
    private sealed class Job(CheckpointTensor tensor, TensorSlice slice, TensorSink sink, long inputColumns)
    {
        public CheckpointTensor Tensor => tensor;

        public TensorSlice Slice => slice;

        public TensorSink Sink => sink;

        public long InputColumns => inputColumns;

        public int ElementSize { get; } = tensor.ElementSize;

        public long InputRowBytes { get; } = inputColumns * tensor.ElementSize;

        public long OutputRowBytes { get; } = slice.Columns.Count * tensor.ElementSize;

        /// <summary>Whether rows are copied as they are: all columns, same type.</summary>
        public bool WholeRows { get; } = slice.Columns.IsAll(inputColumns) && tensor.Dtype == sink.Tensor.Dtype;

        public ColumnGather Gather { get; } = new(slice.Columns, tensor.ElementSize, inputColumns);

        public long FilePosition(long row) => tensor.Reader.DataStart + tensor.Entry.Offset + (row * InputRowBytes);
    }
}
