using System.Text;
using LlmShearing.Tokenizers.Normalization;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.Unicode;

/// <summary>The four Unicode normalization forms, independent of the platform and its globalization mode.</summary>
/// <param name="compatible">NFKC or NFKD instead of NFC or NFD.</param>
/// <param name="compose">NFC or NFKC instead of NFD or NFKD.</param>
internal sealed class UnicodeNormalizer(bool compatible, bool compose) : Normalizer
{
    private const int HangulBase = 0xAC00;
    private const int LeadBase = 0x1100;
    private const int VowelBase = 0x1161;
    private const int TailBase = 0x11A7;
    private const int LeadCount = 19;
    private const int VowelCount = 21;
    private const int TailCount = 28;

    // Below these no character changes: the first composable mark, the first decomposable letter, the no-break space.
    private readonly char _firstAffected = compatible ? '\u00A0' : compose ? '\u0300' : '\u00C0';

    public override bool LeavesAlone(ReadOnlySpan<char> text) => text.IndexOfAnyInRange(_firstAffected, char.MaxValue) < 0;

    public override void Apply(ReadOnlySpan<char> text, ScratchBuffer<char> output, ref bool atStart)
    {
        UnicodeData data = UnicodeData.Instance;
        var codePoints = new ScratchBuffer<int>();
        foreach (Rune rune in text.EnumerateRunes())
            Decompose(rune.Value, data, codePoints);
        Order(codePoints.Span, data);
        Span<int> result = compose ? Compose(codePoints.Span, data) : codePoints.Span;
        foreach (int codePoint in result)
            output.Advance(new Rune(codePoint).EncodeToUtf16(output.Reserve(2)));
    }

    private void Decompose(int codePoint, UnicodeData data, ScratchBuffer<int> output)
    {
        int syllable = codePoint - HangulBase;
        if (codePoint < 0xA0)
        {
            output.Add(codePoint);
        }
        else if (syllable is >= 0 and < LeadCount * VowelCount * TailCount)
        {
            output.Add(LeadBase + (syllable / (VowelCount * TailCount)));
            output.Add(VowelBase + (syllable / TailCount % VowelCount));
            if (syllable % TailCount != 0)
                output.Add(TailBase + (syllable % TailCount));
        }
        else if (data.Decomposition(codePoint, compatible) is { } mapping)
        {
            output.Append(mapping);
        }
        else
        {
            output.Add(codePoint);
        }
    }

    /// <summary>Puts each run of marks into the order of their combining classes, equals as they were.</summary>
    private static void Order(Span<int> codePoints, UnicodeData data)
    {
        for (int i = 0; i < codePoints.Length;)
        {
            if (data.CombiningClass(codePoints[i]) == 0)
            {
                i++;
                continue;
            }
            int end = i + 1;
            while (end < codePoints.Length && data.CombiningClass(codePoints[end]) != 0)
                end++;
            if (end - i > 1)
                SortByClass(codePoints[i..end], data);
            i = end;
        }
    }

    private static void SortByClass(Span<int> marks, UnicodeData data)
    {
        // Class, then position: unique keys make the sort stable. Runs may be long in hostile text, so no insertion sort.
        ulong[] keys = new ulong[marks.Length];
        for (int i = 0; i < marks.Length; i++)
            keys[i] = ((ulong)data.CombiningClass(marks[i]) << 32) | (uint)i;
        int[] sorted = marks.ToArray();
        Array.Sort(keys, sorted);
        sorted.CopyTo(marks);
    }

    private static Span<int> Compose(Span<int> codePoints, UnicodeData data)
    {
        int kept = 0;
        int starter = -1;
        int lastClass = 0;
        foreach (int codePoint in codePoints)
        {
            int combiningClass = data.CombiningClass(codePoint);
            // A mark is blocked from its starter by one of equal or higher class in between.
            bool adjacent = starter == kept - 1;
            if (starter >= 0 && (adjacent || (lastClass < combiningClass && lastClass != 0)))
            {
                int composed = ComposePair(codePoints[starter], codePoint, data);
                if (composed >= 0)
                {
                    codePoints[starter] = composed;
                    continue;
                }
            }
            if (combiningClass == 0)
                starter = kept;
            lastClass = combiningClass;
            codePoints[kept++] = codePoint;
        }
        return codePoints[..kept];
    }

    private static int ComposePair(int first, int second, UnicodeData data)
    {
        int lead = first - LeadBase;
        int vowel = second - VowelBase;
        if (lead is >= 0 and < LeadCount && vowel is >= 0 and < VowelCount)
            return HangulBase + (((lead * VowelCount) + vowel) * TailCount);

        int syllable = first - HangulBase;
        int tail = second - TailBase;
        if (syllable is >= 0 and < LeadCount * VowelCount * TailCount && syllable % TailCount == 0 && tail is > 0 and < TailCount)
            return first + tail;
        return data.Compose(first, second);
    }
}
