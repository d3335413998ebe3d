using System.Text.Json.Nodes;

namespace LlmShearing.Data.Tests.Samples;

/// <summary>Numbers out of reference files.</summary>
internal static class TestJson
{
    public static int[] Ints(JsonNode? node) => [.. node!.AsArray().Select(n => n!.GetValue<int>())];

    public static int[][] Rows(JsonNode? node) => [.. node!.AsArray().Select(Ints)];

    public static int[][] Rows(ReadOnlySpan<int> flat, int width)
    {
        int[] all = flat.ToArray();
        return [.. all.Chunk(width)];
    }
}
