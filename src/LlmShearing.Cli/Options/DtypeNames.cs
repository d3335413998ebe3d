// Number formats by the names that config.json uses.
using static TorchSharp.torch;

namespace LlmShearing.Cli;

internal static class DtypeNames
{
    public static string[] All { get; } = ["float32", "bfloat16", "float16"];

    public static ScalarType Parse(string name) => name switch
    {
        "bfloat16" => ScalarType.BFloat16,
        "float16" => ScalarType.Float16,
        _ => ScalarType.Float32,
    };
}
