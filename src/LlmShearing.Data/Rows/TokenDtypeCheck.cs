// Whether raw bytes can be ids of a type that nothing in the file states: a wrong width gives ids that look like ids.
namespace LlmShearing.Data.Rows;

/// <param name="dtype">The type that is taken.</param>
/// <param name="asked">Whether somebody named it; then only what cannot be right is refused.</param>
internal sealed class TokenDtypeCheck(TokenDtype dtype, bool asked)
{
    /// <summary>Bytes that are looked at, at most.</summary>
    public const int MostBytes = 1 << 18;

    // No vocabulary is larger; two ids of 16 bits read as one are, as soon as the second is 32 or more.
    private const long LargestVocabulary = 1 << 21;

    // The upper 16 bits of ids below the largest vocabulary.
    private const long SmallUpperHalf = 31;

    private const int FewestPairs = 4, FewestGuessedPairs = 64;

    private long _bytes, _ids, _pairs, _evenNonZero, _evenLarge, _oddNonZero, _oddLarge, _upperNonZero, _tooLarge, _lowLarge, _highNonZero;

    /// <summary>Whether more bytes are worth looking at.</summary>
    public bool Wants => _bytes < MostBytes;

    /// <summary>Takes the ids of a row, or of a stream's beginning.</summary>
    public void Add(ReadOnlySpan<byte> row)
    {
        int count = (int)Math.Min(row.Length, MostBytes) / dtype.Bytes();
        _bytes += Math.Max(1, row.Length);
        _ids += count;
        for (int i = 0; i < count; i++)
        {
            long value = dtype.Value(row, i);
            _tooLarge += (ulong)value >= LargestVocabulary ? 1 : 0;
            _lowLarge += (value & 0xFFFF) > SmallUpperHalf ? 1 : 0;
            _highNonZero += value > 0xFFFF ? 1 : 0;
            if (i % 2 == 0)
            {
                if (i + 1 == count)
                    break;
                _pairs++;
                _evenNonZero += value != 0 ? 1 : 0;
                _evenLarge += value > SmallUpperHalf ? 1 : 0;
            }
            else
            {
                _oddNonZero += value != 0 ? 1 : 0;
                _oddLarge += value > SmallUpperHalf ? 1 : 0;
            }

            _upperNonZero += i % 4 >= 2 && value != 0 ? 1 : 0;
        }
    }

    /// <summary>Refuses the type when the ids speak against it.</summary>
    /// <param name="where">File or folder, for the message.</param>
    /// <param name="option">How to name the type.</param>
    /// <exception cref="TokenDataException">The ids cannot be of the type.</exception>
    public void Finish(string where, string option)
    {
        int width = dtype.Bytes();
        // The upper halves of wider ids are read as ids of their own: 0, or small where the vocabulary has more than 65,536.
        bool eight = width == 2 && _pairs >= 2 * FewestPairs && _upperNonZero == 0 && _evenNonZero > 1;
        // Of four times two bytes one is an id, two more may be padding; rows that are mostly padding are taken as whoever named the type says.
        long filled = eight ? 2 * _evenNonZero : _evenNonZero;
        bool likely = asked ? filled * 2 > _pairs : filled * 4 >= _pairs;
        bool halves = width < 8 && _pairs >= FewestPairs && _oddNonZero == 0 && likely && _evenNonZero > 1;
        bool wide = width == 2 && _oddLarge == 0 && (eight ? likely : !asked && _pairs >= FewestGuessedPairs && _evenLarge * 4 >= _pairs * 3);
        if (halves || wide)
            throw Refused(where, option, halves ? "every second id is 0" : $"every second id is below {SmallUpperHalf + 1}", width == 4 || eight ? "int64" : width == 2 ? "int32" : "uint16");
        if (width >= 4 && _tooLarge > 0)
            throw Refused(where, option, $"there are ids below 0 or of {LargestVocabulary} and more, which no vocabulary has", width == 8 ? "uint16 or int32" : "uint16");
        // A vocabulary of less than 32: the pairs look like ids beyond 65,535 that all lie just behind a multiple of 65,536.
        if (width >= 4 && _ids >= FewestGuessedPairs && _lowLarge == 0 && _highNonZero * 2 >= _ids)
            throw Refused(where, option, $"every id lies less than {SmallUpperHalf + 1} behind a multiple of 65536", "uint16");
    }

    /// <summary>The types that a length allows, for a message.</summary>
    public static string Fitting(long bytes) => bytes % 4 == 0 ? "int32 or uint16" : bytes % 2 == 0 ? "uint16" : "uint8";

    private TokenDataException Refused(string where, string option, string why, string others) =>
        new($"{where}: read as {dtype.Name()}, {why}, so that its ids are {others} rather than {dtype.Name()}. Nothing in the file says which; name the type ({option}).");
}
