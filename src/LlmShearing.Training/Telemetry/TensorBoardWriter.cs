// Curves for TensorBoard: an event file of scalars, appended to while a run goes on. Framing and messages are written by hand: a TFRecord is
// length, masked CRC-32C of the length, data, masked CRC-32C of the data; the data is a protocol buffer of a few fields
// (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto).
using System.Buffers.Binary;
using System.Text;
using LlmShearing.Files;

namespace LlmShearing.Training.Telemetry;

/// <summary>Writes scalars and histograms for TensorBoard. Every call is one write to the file, so a reader may follow it. Used by one thread at a time.</summary>
public sealed class TensorBoardWriter : IDisposable
{
    private const string FileVersion = "brain.Event:2";
    private readonly Stream _file;
    private readonly TimeProvider _time;

    internal TensorBoardWriter(Stream file, TimeProvider time, string writer)
    {
        (_file, _time) = (file, time);
        Message source = new Message().Text(1, writer);
        Append(Event(0).Text(3, FileVersion).Nested(10, source));
    }

    /// <summary>Begins an event file of its own in a folder; TensorBoard reads all files of a folder as one run.</summary>
    /// <param name="folder">Created when absent.</param>
    /// <param name="timeProvider">Clock of the records; null = the system's.</param>
    /// <returns>The writer.</returns>
    /// <exception cref="TrainingException">The file cannot be created.</exception>
    public static TensorBoardWriter Create(string folder, TimeProvider? timeProvider = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        TimeProvider time = timeProvider ?? TimeProvider.System;
        string start = $"events.out.tfevents.{time.GetUtcNow().ToUnixTimeSeconds():d10}.{Environment.MachineName}.{Environment.ProcessId}";
        try
        {
            FileSteps.CreateFolder(folder);
            int n = 0;
            while (File.Exists(Path.Combine(folder, $"{start}.{n}")))
                n++;
            FileStream file = FileSteps.Create(Path.Combine(folder, $"{start}.{n}"), new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.Read, BufferSize = 0 });
            return new TensorBoardWriter(file, time, "LlmShearing");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrainingException($"The event file for TensorBoard cannot be created in '{folder}': {e.Message}", e);
        }
    }

    /// <summary>Writes values of one step.</summary>
    /// <param name="step">The step; shown on the horizontal axis.</param>
    /// <param name="values">Name (slashes make groups) and value; stored as float32.</param>
    /// <exception cref="TrainingException">The file cannot be written.</exception>
    public void Scalars(long step, params IEnumerable<(string Tag, double Value)> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var summary = new Message();
        foreach ((string tag, double value) in values)
            summary.Nested(1, new Message().Text(1, tag).Float(2, (float)value));
        if (summary.Length > 0)
            Append(Event(step).Nested(5, summary));
    }

    /// <summary>Writes the distribution of values at one step, in 30 buckets of equal width.</summary>
    /// <param name="step">The step.</param>
    /// <param name="tag">Name (slashes make groups).</param>
    /// <param name="values">The values; without any, nothing is written. Values that are not finite are left out.</param>
    /// <exception cref="TrainingException">The file cannot be written.</exception>
    public void Histogram(long step, string tag, IReadOnlyList<double> values)
    {
        ArgumentException.ThrowIfNullOrEmpty(tag);
        ArgumentNullException.ThrowIfNull(values);
        double[] finite = [.. values.Where(double.IsFinite)];
        if (finite.Length == 0)
            return;
        const int Buckets = 30;
        double lowest = finite.Min(), highest = finite.Max(), width = (highest - lowest) / Buckets;
        int count = width > 0 ? Buckets : 1;
        double[] limits = [.. Enumerable.Range(1, count).Select(i => i == count ? highest : lowest + (i * width))], counts = new double[count];
        foreach (double value in finite)
            counts[count == 1 ? 0 : Math.Min(count - 1, (int)((value - lowest) / width))]++;
        // HistogramProto: min, max, num, sum, sum_squares, bucket_limit, bucket.
        Message histogram = new Message()
            .Double(1, lowest).Double(2, highest).Double(3, finite.Length).Double(4, finite.Sum()).Double(5, finite.Sum(v => v * v))
            .Doubles(6, limits).Doubles(7, counts);
        Append(Event(step).Nested(5, new Message().Nested(1, new Message().Text(1, tag).Nested(5, histogram))));
    }

    /// <summary>Says that a run begins again at a step: readers forget values of that and later steps in earlier files.</summary>
    /// <param name="step">First step that is written again.</param>
    /// <exception cref="TrainingException">The file cannot be written.</exception>
    public void Restart(long step) => Append(Event(step).Nested(7, new Message().Number(1, 1)));   // session_log { status: START }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    private Message Event(long step)
    {
        Message message = new Message().Double(1, (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds);
        return step == 0 ? message : message.Number(2, step);   // zeros are left out
    }

    private void Append(Message message)
    {
        ReadOnlySpan<byte> data = message.Bytes;
        byte[] record = new byte[16 + data.Length];
        BinaryPrimitives.WriteInt64LittleEndian(record, data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), Crc32C.Masked(record.AsSpan(0, 8)));
        data.CopyTo(record.AsSpan(12));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + data.Length), Crc32C.Masked(data));
        try
        {
            _file.Write(record);
        }
        catch (IOException e)
        {
            throw new TrainingException($"The event file for TensorBoard cannot be written: {e.Message}", e);
        }
    }

    /// <summary>A protocol buffer message that is being written. A field is its number and wire type (0 varint, 1 and 5 fixed, 2 bytes), then its value.</summary>
    private sealed class Message
    {
        private readonly List<byte> _bytes = [];

        public int Length => _bytes.Count;

        public ReadOnlySpan<byte> Bytes => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes);

        public Message Number(int field, long value) => Key(field, 0).Varint((ulong)value);

        public Message Double(int field, double value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(double)];
            BinaryPrimitives.WriteDoubleLittleEndian(bytes, value);
            Key(field, 1)._bytes.AddRange(bytes);
            return this;
        }

        public Message Doubles(int field, double[] values)
        {
            byte[] bytes = new byte[values.Length * sizeof(double)];
            for (int i = 0; i < values.Length; i++)
                BinaryPrimitives.WriteDoubleLittleEndian(bytes.AsSpan(i * sizeof(double)), values[i]);
            return Raw(field, bytes);
        }

        public Message Float(int field, float value)
        {
            Span<byte> bytes = stackalloc byte[sizeof(float)];
            // .NET's NaN has its sign set; others write it without.
            BinaryPrimitives.WriteInt32LittleEndian(bytes, float.IsNaN(value) ? 0x7FC00000 : BitConverter.SingleToInt32Bits(value));
            Key(field, 5)._bytes.AddRange(bytes);
            return this;
        }

        public Message Text(int field, string value) => Raw(field, Encoding.UTF8.GetBytes(value));

        public Message Nested(int field, Message value) => Raw(field, value.Bytes);

        private Message Raw(int field, ReadOnlySpan<byte> value)
        {
            Key(field, 2).Varint((ulong)value.Length)._bytes.AddRange(value);
            return this;
        }

        private Message Key(int field, int wireType) => Varint((ulong)((field << 3) | wireType));

        private Message Varint(ulong value)
        {
            for (; value >= 0x80; value >>= 7)
                _bytes.Add((byte)(value | 0x80));
            _bytes.Add((byte)value);
            return this;
        }
    }
}
