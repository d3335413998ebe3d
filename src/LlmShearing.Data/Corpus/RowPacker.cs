// Cuts a stream of ids into rows, and says in which row each source file begins.
using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Corpus;

/// <param name="rowLength">Ids a row.</param>
/// <param name="remainder">What happens at the end of a file.</param>
/// <param name="write">Receives each row.</param>
internal sealed class RowPacker(int rowLength, RowRemainder remainder, RowPacker.RowWriter write)
{
    private readonly int[] _row = new int[rowLength];
    private int _filled;

    public delegate void RowWriter(ReadOnlySpan<int> row);

    /// <summary>Rows written, those before a resumption included.</summary>
    public long Rows { get; private set; }

    /// <summary>Ids that wait for their row to fill.</summary>
    public ReadOnlySpan<int> Waiting => _row.AsSpan(0, _filled);

    /// <summary>The first row that can begin with an id that comes now.</summary>
    public long NextRow => Rows + (_filled > 0 ? 1 : 0);

    public void Resume(long rows, ReadOnlySpan<int> waiting)
    {
        waiting.CopyTo(_row);
        (Rows, _filled) = (rows, waiting.Length);
    }

    public void Append(ReadOnlySpan<int> ids)
    {
        while (!ids.IsEmpty)
        {
            // LLM-Shearing gives a row out only when another id follows it.
            if (_filled == rowLength)
                WriteRow();
            if (_filled == 0 && ids.Length > rowLength)
            {
                write(ids[..rowLength]);
                Rows++;
                ids = ids[rowLength..];
                continue;
            }

            int take = Math.Min(ids.Length, rowLength - _filled);
            ids[..take].CopyTo(_row.AsSpan(_filled));
            _filled += take;
            ids = ids[take..];
            if (_filled == rowLength && remainder != RowRemainder.DropAsLlmShearing)
                WriteRow();
        }
    }

    public void EndFile()
    {
        if (remainder != RowRemainder.Carry)
            _filled = 0;
    }

    private void WriteRow()
    {
        write(_row.AsSpan(0, _filled));
        Rows++;
        _filled = 0;
    }
}
