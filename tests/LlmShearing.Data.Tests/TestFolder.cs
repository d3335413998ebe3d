// A folder for the files of one test, and pseudo-random rows that are the same on every machine.
using LlmShearing.Data.Rows;

namespace LlmShearing.Data.Tests;

internal sealed class TestFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rows-");

    public string Path => _folder.FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public IEnumerable<string> Files => _folder.EnumerateFiles("*", SearchOption.AllDirectories)
        .Select(f => System.IO.Path.GetRelativePath(Path, f.FullName).Replace('\\', '/')).Order(StringComparer.Ordinal);

    public string Write(string name, string text)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(this[name])!);
        File.WriteAllText(this[name], text);
        return this[name];
    }

    public string Write(string name, byte[] bytes)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(this[name])!);
        File.WriteAllBytes(this[name], bytes);
        return this[name];
    }

    public static int[][] Rows(int count, int length, int vocabulary, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(vocabulary)).ToArray())];
    }

    public void Dispose() => _folder.Delete(recursive: true);
}

internal static class RowAsserts
{
    public static int[] Row(this ITokenRows rows, long row)
    {
        int[] ids = new int[rows.Length(row)];
        rows.Read(row, ids);
        return ids;
    }

    public static int[][] All(this ITokenRows rows) => [.. Enumerable.Range(0, (int)rows.Count).Select(r => rows.Row(r))];
}
