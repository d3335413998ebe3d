// Reads TensorBoard event files, written apart from the library's writer so that each checks the other.
using System.Buffers.Binary;
using System.Text;

namespace LlmShearing.Testing;

/// <summary>An event: a value of each tag, or the version of the file, or a restart.</summary>
public sealed record TensorBoardEvent(double WallTime, long Step, string? FileVersion, string? Writer, bool IsStart, IReadOnlyList<(string Tag, double? Value)> Values);

/// <summary>Decodes event files.</summary>
public static class EventFile
{
    /// <summary>The events before the end or the first damage.</summary>
    public static IReadOnlyList<TensorBoardEvent> Read(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        var events = new List<TensorBoardEvent>();
        for (ReadOnlySpan<byte> rest = file; rest.Length >= 12;)
        {
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(rest);
            if (Crc(rest[..8]) != BinaryPrimitives.ReadUInt32LittleEndian(rest[8..]) || length + 16 > (ulong)rest.Length)
                break;
            ReadOnlySpan<byte> data = rest.Slice(12, (int)length);
            if (Crc(data) != BinaryPrimitives.ReadUInt32LittleEndian(rest[(12 + (int)length)..]))
                break;
            events.Add(Event(data));
            rest = rest[(16 + (int)length)..];
        }

        return events;
    }

    // Bit by bit: slow, and nothing like the library's.
    private static uint Crc(ReadOnlySpan<byte> data)
    {
        uint crc = 0xFFFFFFFF;
        foreach (byte b in data)
        {
            crc ^= b;
            for (int i = 0; i < 8; i++)
                crc = (crc & 1) == 0 ? crc >> 1 : (crc >> 1) ^ 0x82F63B78;
        }

        crc = ~crc;
        return ((crc >> 15) | (crc << 17)) + 0xA282EAD8;
    }

    private static TensorBoardEvent Event(ReadOnlySpan<byte> data)
    {
        double wall = 0;
        long step = 0;
        string? version = null, writer = null;
        bool start = false;
        var values = new List<(string, double?)>();
        while (!data.IsEmpty)
        {
            (int field, ulong number, ReadOnlySpan<byte> bytes) = new Field(ref data);
            switch (field)
            {
                case 1:
                    wall = BitConverter.UInt64BitsToDouble(number);
                    break;
                case 2:
                    step = (long)number;
                    break;
                case 3:
                    version = Encoding.UTF8.GetString(bytes);
                    break;
                case 5:
                    while (!bytes.IsEmpty)
                        values.Add(Value(new Field(ref bytes).Bytes));
                    break;
                case 7:
                    start = new Field(ref bytes) is { Number: 1, Value: 1 };
                    break;
                case 10:
                    writer = Encoding.UTF8.GetString(new Field(ref bytes).Bytes);
                    break;
            }
        }

        return new TensorBoardEvent(wall, step, version, writer, start, values);
    }

    private static (string Tag, double? Value) Value(ReadOnlySpan<byte> data)
    {
        string tag = "";
        double? value = null;
        while (!data.IsEmpty)
        {
            var field = new Field(ref data);
            if (field.Number == 1)
                tag = Encoding.UTF8.GetString(field.Bytes);
            else if (field.Number == 2)
                value = BitConverter.UInt32BitsToSingle((uint)field.Value);
            else if (field.Number == 8)
                value = Tensor(field.Bytes);
        }

        return (tag, value);
    }

    // float_val (5) or double_val (6), packed; null for text.
    private static double? Tensor(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            var field = new Field(ref data);
            if (field.Number == 5)
                return BinaryPrimitives.ReadSingleLittleEndian(field.Bytes);
            if (field.Number == 6)
                return BinaryPrimitives.ReadDoubleLittleEndian(field.Bytes);
        }

        return null;
    }

    private readonly ref struct Field
    {
        public readonly int Number;
        public readonly ulong Value;
        public readonly ReadOnlySpan<byte> Bytes;

        public Field(ref ReadOnlySpan<byte> data)
        {
            ulong key = Varint(ref data);
            Number = (int)(key >> 3);
            switch (key & 7)
            {
                case 0:
                    Value = Varint(ref data);
                    break;
                case 1:
                    Value = BinaryPrimitives.ReadUInt64LittleEndian(data);
                    data = data[8..];
                    break;
                case 2:
                    int length = (int)Varint(ref data);
                    Bytes = data[..length];
                    data = data[length..];
                    break;
                case 5:
                    Value = BinaryPrimitives.ReadUInt32LittleEndian(data);
                    data = data[4..];
                    break;
                default:
                    throw new InvalidDataException($"Wire type {key & 7}.");
            }
        }

        public void Deconstruct(out int number, out ulong value, out ReadOnlySpan<byte> bytes)
        {
            number = Number;
            value = Value;
            bytes = Bytes;
        }

        private static ulong Varint(ref ReadOnlySpan<byte> data)
        {
            ulong value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte b = data[0];
                data = data[1..];
                value |= (ulong)(b & 0x7F) << shift;
                if (b < 0x80)
                    return value;
            }
        }
    }
}
