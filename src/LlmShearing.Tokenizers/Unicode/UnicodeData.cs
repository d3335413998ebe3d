using System.Globalization;
using System.Reflection;

namespace LlmShearing.Tokenizers.Unicode;

/// <summary>
/// Decompositions, compositions and combining classes of the Unicode Character Database. string.Normalize is no help: under
/// InvariantGlobalization it returns its input. Hangul is not listed, it is computed.
/// </summary>
internal sealed class UnicodeData
{
    private static readonly Lazy<UnicodeData> Shared = new(Read);

    private readonly Dictionary<int, int[]> _canonical = [];
    private readonly Dictionary<int, int[]> _compatible = [];
    private readonly Dictionary<int, byte> _combiningClass = [];
    private readonly Dictionary<ulong, int> _composed = [];

    public static UnicodeData Instance => Shared.Value;

    /// <summary>The full decomposition of a code point, or null when it has none.</summary>
    public int[]? Decomposition(int codePoint, bool compatible) =>
        (compatible ? _compatible : _canonical).GetValueOrDefault(codePoint);

    /// <summary>Canonical combining class; 0 for a starter.</summary>
    public byte CombiningClass(int codePoint) =>
        codePoint < 0x300 ? (byte)0 : _combiningClass.GetValueOrDefault(codePoint);

    /// <summary>The code point two others compose to, or -1.</summary>
    public int Compose(int first, int second) => _composed.GetValueOrDefault(Pair(first, second), -1);

    private static ulong Pair(int first, int second) => ((ulong)(uint)first << 32) | (uint)second;

    private static UnicodeData Read()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("normalization-data.txt")!;
        using var reader = new StreamReader(stream);
        var data = new UnicodeData();
        var direct = new Dictionary<int, int[]>();
        var compatibleOnly = new HashSet<int>();
        var excluded = new HashSet<int>();
        while (reader.ReadLine() is { } line)
        {
            string[] fields = line.Split(' ');
            switch (fields[0])
            {
                case "c":
                    byte combiningClass = byte.Parse(fields[3], CultureInfo.InvariantCulture);
                    for (int c = Hex(fields[1]); c <= Hex(fields[2]); c++)
                        data._combiningClass[c] = combiningClass;
                    break;
                case "x":
                    excluded.Add(Hex(fields[1]));
                    break;
                case "d" or "k":
                    direct[Hex(fields[1])] = [.. fields.Skip(2).Select(Hex)];
                    if (fields[0] == "k")
                        compatibleOnly.Add(Hex(fields[1]));
                    break;
            }
        }

        foreach ((int codePoint, int[] mapping) in direct)
        {
            data._compatible[codePoint] = [.. Expand(codePoint, direct, null)];
            if (compatibleOnly.Contains(codePoint))
                continue;
            data._canonical[codePoint] = [.. Expand(codePoint, direct, compatibleOnly)];
            if (mapping.Length == 2 && !excluded.Contains(codePoint))
                data._composed[Pair(mapping[0], mapping[1])] = codePoint;
        }
        return data;
    }

    private static IEnumerable<int> Expand(int codePoint, Dictionary<int, int[]> direct, HashSet<int>? keep) =>
        direct.TryGetValue(codePoint, out int[]? mapping) && keep?.Contains(codePoint) != true
            ? mapping.SelectMany(part => Expand(part, direct, keep))
            : [codePoint];

    private static int Hex(string digits) => int.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
