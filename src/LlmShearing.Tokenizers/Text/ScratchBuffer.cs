using System.Numerics;

namespace LlmShearing.Tokenizers.Text;

/// <summary>A growing array that is cleared and used again, so that encoding does not allocate per token.</summary>
internal sealed class ScratchBuffer<T>
    where T : unmanaged
{
    private T[] _items = new T[64];

    public int Length { get; private set; }

    public int Capacity => _items.Length;

    public Span<T> Span => _items.AsSpan(0, Length);

    public void Clear() => Length = 0;

    public void Add(T item)
    {
        int length = Length;
        if (length == _items.Length)
            Grow(length + 1);
        _items[length] = item;
        Length = length + 1;
    }

    public void Append(ReadOnlySpan<T> items)
    {
        items.CopyTo(Reserve(items.Length));
        Length += items.Length;
    }

    /// <summary>Room for <paramref name="count"/> more items; <see cref="Advance"/> makes them part of the buffer.</summary>
    public Span<T> Reserve(int count)
    {
        if (count > _items.Length - Length)
            Grow(checked(Length + count));
        return _items.AsSpan(Length, count);
    }

    public void Advance(int count) => Length += count;

    public void Truncate(int length) => Length = length;

    private void Grow(int needed)
    {
        long doubled = Math.Min((long)BitOperations.RoundUpToPowerOf2((uint)needed), Array.MaxLength);
        Array.Resize(ref _items, (int)Math.Max(doubled, needed));
    }
}
