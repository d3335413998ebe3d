// Number formats of stored weights, by the names that config.json uses.
namespace LlmShearing.Cli.Options;

internal static class DtypeNames
{
    public static string[] All { get; } = ["float32", "bfloat16", "float16"];
}
