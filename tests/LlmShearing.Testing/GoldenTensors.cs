// Reference tensors as managed arrays.
using System.Runtime.InteropServices;
using LlmShearing.Checkpoints;

namespace LlmShearing.Testing;

/// <summary>A safetensors file of reference values.</summary>
public sealed class GoldenTensors : IDisposable
{
    private readonly SafetensorsReader _reader;

    public GoldenTensors(string relative) => _reader = SafetensorsReader.Open(Goldens.Path(relative));

    public IEnumerable<string> Names => _reader.Tensors.Select(t => t.Name);

    public bool Has(string name) => _reader.TryGet(name, out _);

    public long[] Shape(string name) => [.. _reader[name].Shape];

    public float[] Floats(string name) => Read<float>(name, SafetensorsDtype.F32);

    /// <summary>bfloat16 values, widened.</summary>
    public float[] BFloats(string name) => [.. Read<ushort>(name, SafetensorsDtype.BF16).Select(bits => BitConverter.UInt32BitsToSingle((uint)bits << 16))];

    public long[] Longs(string name) => Read<long>(name, SafetensorsDtype.I64);

    public int[] Ints(string name) => [.. Longs(name).Select(v => checked((int)v))];

    /// <summary>Rows of a two-dimensional int64 tensor.</summary>
    public int[][] Rows(string name)
    {
        long[] shape = Shape(name);
        int[] all = Ints(name);
        return [.. Enumerable.Range(0, (int)shape[0]).Select(r => all[(int)(r * shape[1])..(int)((r + 1) * shape[1])])];
    }

    /// <summary>Rows of unequal length: <paramref name="name"/> holds all values, name_offsets where each row starts.</summary>
    public int[][] Ragged(string name)
    {
        int[] all = Ints(name), offsets = Ints(name + "_offsets");
        return [.. Enumerable.Range(0, offsets.Length - 1).Select(r => all[offsets[r]..offsets[r + 1]])];
    }

    public void Dispose() => _reader.Dispose();

    private T[] Read<T>(string name, SafetensorsDtype dtype)
        where T : unmanaged
    {
        SafetensorsEntry entry = _reader[name];
        if (entry.Dtype != dtype)
            throw new InvalidDataException($"{name} is {entry.Dtype}, not {dtype}.");
        var values = new T[entry.ElementCount];
        _reader.Read(entry, 0, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}
