// Small readers for the reference data of planning tests.
using System.Text.Json;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Planning;

internal static class GoldenJson
{
    public static JsonElement Load(string relative)
    {
        using FileStream stream = File.OpenRead(Goldens.Path(relative));
        using JsonDocument document = JsonDocument.Parse(stream);
        return document.RootElement.Clone();
    }

    public static int[] Ints(this JsonElement element, string name) => element.GetProperty(name).Ints();

    public static int[] Ints(this JsonElement element) => [.. element.EnumerateArray().Select(e => e.GetInt32())];

    public static double[] Doubles(this JsonElement element, string name) => element.GetProperty(name).Doubles();

    /// <summary>Numbers; infinities are text in these files.</summary>
    public static double[] Doubles(this JsonElement element) =>
        [.. element.EnumerateArray().Select(e => e.ValueKind == JsonValueKind.Number ? e.GetDouble() : e.GetString() switch
        {
            "inf" => double.PositiveInfinity,
            "-inf" => double.NegativeInfinity,
            _ => double.NaN,
        })];

    public static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
