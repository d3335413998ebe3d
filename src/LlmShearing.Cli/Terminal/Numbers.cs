// How numbers look, in one place: invariant culture, and infinities as text because JSON has none.
using System.Globalization;
using System.Text.Json.Nodes;

namespace LlmShearing.Cli.Terminal;

internal static class Numbers
{
    private static readonly string[] ByteUnits = ["B", "kB", "MB", "GB", "TB", "PB"];

    /// <summary>A JSON number, or "inf", "-inf", "nan".</summary>
    public static JsonNode Json(double value) =>
        double.IsFinite(value) ? JsonValue.Create(value)
        : JsonValue.Create(double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf");

    public static JsonArray Json(IEnumerable<double> values) => new([.. values.Select(v => (JsonNode?)Json(v))]);

    public static JsonArray Json(IEnumerable<int> values) => new([.. values.Select(v => (JsonNode?)JsonValue.Create(v))]);

    /// <summary>Digits by significance: 4.12, 0.000531, 1240; large and tiny values with an exponent.</summary>
    public static string Significant(double value, int digits = 5)
    {
        if (!double.IsFinite(value))
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        double size = Math.Abs(value);
        if (size is not 0 and (< 1e-4 or >= 1e9))
            return value.ToString("0." + new string('#', digits - 1) + "e+0", CultureInfo.InvariantCulture);
        int whole = size < 1 ? (size == 0 ? 0 : (int)Math.Ceiling(-Math.Log10(size)) * -1 + 1) : (int)Math.Floor(Math.Log10(size)) + 1;
        return value.ToString("0." + new string('#', Math.Max(0, digits - whole)), CultureInfo.InvariantCulture);
    }

    /// <summary>1,234,567.</summary>
    public static string Count(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>12.3 MB (powers of 1000).</summary>
    public static string Bytes(long value)
    {
        double size = value;
        int unit = 0;
        for (; size >= 1000 && unit < ByteUnits.Length - 1; unit++)
            size /= 1000;
        return (unit == 0 ? size.ToString("0", CultureInfo.InvariantCulture) : Significant(size, 3)) + " " + ByteUnits[unit];
    }

    /// <summary>8 s, 3 min 20 s, 2 h 5 min.</summary>
    public static string Duration(TimeSpan time)
    {
        long seconds = (long)Math.Ceiling(Math.Min(time.TotalSeconds, 1e9));
        return seconds < 60 ? $"{seconds} s"
            : seconds < 3600 ? $"{seconds / 60} min {seconds % 60} s"
            : $"{seconds / 3600} h {seconds / 60 % 60} min";
    }

    /// <summary>Reads a size such as 5GB, 200MB, 1500000 (powers of 1000; KiB, MiB, GiB for powers of 1024); null when it is none.</summary>
    public static long? ParseBytes(string text)
    {
        string trimmed = text.Trim();
        int digits = trimmed.TakeWhile(c => char.IsAsciiDigit(c) || c == '.').Count();
        string unit = trimmed[digits..].Trim().ToUpperInvariant();
        double factor = unit switch
        {
            "" or "B" => 1,
            "K" or "KB" => 1e3,
            "M" or "MB" => 1e6,
            "G" or "GB" => 1e9,
            "T" or "TB" => 1e12,
            "KIB" => 1024,
            "MIB" => 1024.0 * 1024,
            "GIB" => 1024.0 * 1024 * 1024,
            _ => 0,
        };
        return factor > 0 && double.TryParse(trimmed[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)
            && number * factor is >= 1 and < 9e18
            ? (long)(number * factor)
            : null;
    }
}
