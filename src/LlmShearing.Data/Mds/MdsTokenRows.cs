using System.Text;
using System.Text.Json.Nodes;
using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Mds;

/// <summary>
/// The token rows of an MDS data set, by LLM-Shearing's convention (column <c>tokens</c> of raw ids, column <c>set</c> with the domain) or as integer arrays. Whole samples are
/// checked, also the columns that are not used.
/// </summary>
internal sealed class MdsTokenRows : ITokenRows, IStoredRows
{
    private const string SetColumn = "set";

    private readonly MdsDataset _data;
    private readonly TokenRowsOptions _options;
    private readonly int _column;
    private readonly TokenDtype _dtype;

    private MdsTokenRows(MdsDataset data, TokenRowsOptions options)
    {
        (_data, _options, _dtype) = (data, options, options.Dtype ?? TokenDtype.UInt16);
        IReadOnlyList<MdsColumn> columns = data.Shards.Count > 0 ? data.Shards[0].Columns : [];
        _column = columns.ToList().FindIndex(c => c.Name == options.TokenColumn);
        if (_column < 0 && columns.Count > 0)
            throw new TokenDataException($"{data.Folder} has no column '{options.TokenColumn}'; there are: {string.Join(", ", columns.Select(c => c.Name))}.");
        if (_column >= 0 && !(columns[_column].Kind == MdsKind.Bytes || (columns[_column].Kind == MdsKind.Array && columns[_column].Dtype is not { IsFloat: true })))
            throw new TokenDataException($"{data.Folder}: column '{options.TokenColumn}' is {columns[_column].Encoding}; expected bytes or an ndarray of integers.");
        Name = options.Name ?? (columns.Any(c => c is { Name: SetColumn, Kind: MdsKind.Text }) && data.Count > 0 && data.Read(0)[SetColumn] is string { Length: > 0 } set
            ? set : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(data.Folder))));
        if (_column >= 0 && columns[_column].Kind == MdsKind.Bytes)
            CheckType();
        int[] lengths = [.. data.SamplesOfEachSize().Select(Length).Distinct().Take(2)];
        RowLength = lengths.Length == 1 ? lengths[0] : 0;
        if (options.RowLength is { } wanted && (lengths.Length != 1 || lengths[0] != wanted))
            throw new TokenDataException($"{data.Folder} has rows of {(lengths.Length == 1 ? lengths[0].ToString(System.Globalization.CultureInfo.InvariantCulture) : "several lengths")}; expected {wanted} ids. If the ids have another type than {_dtype.Name()}, name it (Dtype, --mds-dtype).");
    }

    public string Name { get; }

    public string Place => _data.Folder;

    public long Count => _data.Count;

    public int RowLength { get; }

    public int? VocabularySize => _options.VocabularySize;

    public static MdsTokenRows Open(string folder, TokenRowsOptions options)
    {
        MdsDataset data = MdsDataset.Open(folder);
        try
        {
            return new MdsTokenRows(data, options);
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }

    public int Length(long row)
    {
        if (row < 0 || row >= Count)
            this.Check(row);
        return _data.Visit(row, (shard, number, columns, bytes) => Tokens(shard, number, columns, bytes).Count);
    }

    public unsafe void Read(long row, Span<int> destination)
    {
        // Same as this.Check(row, destination), without reading the sample twice.
        this.Check(row);
        int room = destination.Length;
        fixed (int* ids = destination)
        {
            int* pinned = ids;
            _data.Visit(row, (shard, number, columns, bytes) =>
            {
                (TokenDtype dtype, int start, int count) = Tokens(shard, number, columns, bytes);
                if (room != count)
                    throw new ArgumentException($"Row {row} of '{Name}' has {count} tokens; the destination has room for {room}.", nameof(destination));
                ReadOnlySpan<byte> source = bytes.Slice(start, count * dtype.Bytes());
                int bad = dtype.Widen(source, new Span<int>(pinned, count), _options.VocabularySize ?? int.MaxValue);
                return bad < 0 ? 0 : throw shard.Error(number, $"token {bad} is {dtype.Value(source, bad)}, no id below {_options.VocabularySize ?? int.MaxValue}. The file is damaged, or its ids have another type than {dtype.Name()}");
            });
        }
    }

    public JsonObject Describe() => new()
    {
        ["name"] = Name,
        ["format"] = "mds",
        ["rows"] = Count,
        ["row_length"] = RowLength,
        ["files"] = new JsonArray([.. _data.Shards.Select(s => new JsonObject { ["file"] = s.OnDisk.File, ["bytes"] = s.OnDisk.Bytes })]),
    };

    public void Dispose() => _data.Dispose();

    // Nothing in the data set says how wide an id is; the first samples show whether the type can be right.
    private void CheckType()
    {
        var check = new TokenDtypeCheck(_dtype, _options.Dtype is not null);
        for (long row = 0; row < Count && check.Wants; row++)
            _data.Visit(row, (shard, number, columns, bytes) =>
            {
                (TokenDtype dtype, int start, int count) = Tokens(shard, number, columns, bytes);
                check.Add(bytes.Slice(start, count * dtype.Bytes()));
                return 0;
            });
        check.Finish($"{_data.Folder}, column '{_options.TokenColumn}'", "Dtype, --mds-dtype");
    }

    /// <summary>Where the ids lie in a sample whose every column is checked.</summary>
    private (TokenDtype Dtype, int Start, int Count) Tokens(MdsShardData shard, int number, IReadOnlyList<MdsColumn> columns, ReadOnlySpan<byte> bytes)
    {
        try
        {
            Span<long> starts = columns.Count < 64 ? stackalloc long[columns.Count + 1] : new long[columns.Count + 1];
            MdsValues.Split(columns, bytes, starts);
            for (int i = 0; i < columns.Count; i++)
                if (columns[i].Kind == MdsKind.Text && !System.Text.Unicode.Utf8.IsValid(bytes[(int)starts[i]..(int)starts[i + 1]]))
                    throw new FormatException($"column '{columns[i].Name}' is not UTF-8");
            MdsColumn column = columns[_column];
            int start = (int)starts[_column];
            ReadOnlySpan<byte> data = bytes[start..(int)starts[_column + 1]];
            TokenDtype dtype = _dtype;
            if (column.Kind == MdsKind.Array)
            {
                (MdsDtype type, long[] shape, int header) = MdsArrayReader.Header(column, data);
                if (shape.Length != 1 || !Enum.TryParse(type.Name, ignoreCase: true, out dtype))
                    throw new FormatException($"column '{column.Name}' is {type.Name} of {shape.Length} dimensions; expected integers of one dimension");
                start += header;
                data = data[header..];
            }

            return data.Length % dtype.Bytes() == 0
                ? (dtype, start, data.Length / dtype.Bytes())
                : throw new FormatException($"column '{column.Name}' has {data.Length} bytes, no whole number of {dtype.Name()} ids ({dtype.Bytes()} bytes each): the ids have another type, such as {TokenDtypeCheck.Fitting(data.Length)}. Name it (Dtype, --mds-dtype)");
        }
        catch (FormatException e)
        {
            throw shard.Error(number, e.Message);
        }
    }
}
