using System.Collections.Immutable;

namespace LlmShearing.Checkpoints;

/// <summary>One tensor as a safetensors header describes it.</summary>
/// <param name="Name">Name, not empty.</param>
/// <param name="Dtype">Element type.</param>
/// <param name="Shape">Sizes, outermost first; empty for a scalar; zeros are allowed.</param>
public sealed record SafetensorsEntry(string Name, SafetensorsDtype Dtype, ImmutableArray<long> Shape)
{
    /// <summary>First byte, counted from the start of the data (which follows the header). Zero until a reader or writer has placed the tensor.</summary>
    public long Offset { get; init; }

    /// <summary>Bytes. Zero until a reader or writer has placed the tensor.</summary>
    public long ByteLength { get; init; }

    /// <summary>Number of elements: the product of the shape, 1 for a scalar.</summary>
    public long ElementCount
    {
        get
        {
            long n = 1;
            foreach (long d in Shape)
                n = checked(n * d);
            return n;
        }
    }

    /// <inheritdoc/>
    public bool Equals(SafetensorsEntry? other) =>
        other is not null && Name == other.Name && Dtype == other.Dtype && Offset == other.Offset && ByteLength == other.ByteLength
        && Shape.AsSpan().SequenceEqual(other.Shape.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Name, Dtype, Offset, ByteLength);
}
