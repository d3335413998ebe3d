using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.Bpe;

/// <summary>
/// Ids of words met before. Bounded: when full it is emptied (frequent words come back at once), and a word looks at
/// no more than a few slots, so hostile input cannot slow it down. Belongs to one thread at a time.
/// </summary>
internal sealed class WordCache
{
    public const int LongestWord = 64;

    private const int Slots = 1 << 15;
    private const int Full = Slots / 2;
    private const int Probes = 8;

    private readonly Entry[] _entries = new Entry[Slots];
    private readonly ScratchBuffer<char> _words = new();
    private readonly ScratchBuffer<int> _ids = new();
    private int _count;

    /// <summary>Hash for <see cref="TryGet"/> and <see cref="Add"/>; never 0.</summary>
    public static ulong Hash(ReadOnlySpan<char> word)
    {
        ref byte start = ref Unsafe.As<char, byte>(ref MemoryMarshal.GetReference(word));
        ulong hash = (ulong)word.Length * 0x9E3779B97F4A7C15UL;
        int i = 0;
        for (; i + 4 <= word.Length; i += 4)
            hash = Mix(hash ^ Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref start, i * 2)));
        ulong tail = 0;
        for (; i < word.Length; i++)
            tail = (tail << 16) | word[i];
        return Mix(hash ^ tail) | 1;
    }

    public bool TryGet(ReadOnlySpan<char> word, ulong hash, out ReadOnlySpan<int> ids)
    {
        int slot = (int)(hash >> 40) & (Slots - 1);
        for (int probe = 0; probe < Probes; probe++)
        {
            ref readonly Entry entry = ref _entries[(slot + probe) & (Slots - 1)];
            if (entry.Hash == 0)
                break;
            if (entry.Hash == hash && word.SequenceEqual(_words.Span.Slice(entry.Word, entry.WordLength)))
            {
                ids = _ids.Span.Slice(entry.Ids, entry.IdCount);
                return true;
            }
        }
        ids = default;
        return false;
    }

    /// <summary>Remembers a word that <see cref="TryGet"/> did not find; at most <see cref="LongestWord"/> characters.</summary>
    public void Add(ReadOnlySpan<char> word, ulong hash, ReadOnlySpan<int> ids)
    {
        if (_count == Full)
        {
            Array.Clear(_entries);
            _words.Clear();
            _ids.Clear();
            _count = 0;
        }

        int slot = (int)(hash >> 40) & (Slots - 1);
        int chosen = slot;
        for (int probe = 0; probe < Probes; probe++)
        {
            if (_entries[(slot + probe) & (Slots - 1)].Hash == 0)
            {
                chosen = (slot + probe) & (Slots - 1);
                break;
            }
        }
        _entries[chosen] = new Entry
        {
            Hash = hash,
            Word = _words.Length,
            WordLength = word.Length,
            Ids = _ids.Length,
            IdCount = ids.Length,
        };
        _words.Append(word);
        _ids.Append(ids);
        _count++;
    }

    private static ulong Mix(ulong value)
    {
        ulong high = Math.BigMul(value, 0xD6E8FEB86659FD93UL, out ulong low);
        return high ^ low;
    }

    private struct Entry
    {
        public ulong Hash;
        public int Word;
        public int WordLength;
        public int Ids;
        public int IdCount;
    }
}
