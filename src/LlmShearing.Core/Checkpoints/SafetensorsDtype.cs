// Element types of the safetensors format. The order of the members is the format's own: the official writer sorts by it.
namespace LlmShearing.Checkpoints;

/// <summary>Element type of a stored tensor, in the order in which the official writer sorts them (descending).</summary>
public enum SafetensorsDtype
{
    /// <summary>One byte, 0 or 1.</summary>
    Bool,

    /// <summary>4-bit float (two a byte).</summary>
    F4,

    /// <summary>6-bit float, 2 exponent and 3 mantissa bits.</summary>
    F6E2M3,

    /// <summary>6-bit float, 3 exponent and 2 mantissa bits.</summary>
    F6E3M2,

    /// <summary>Unsigned 8-bit integer.</summary>
    U8,

    /// <summary>Signed 8-bit integer.</summary>
    I8,

    /// <summary>8-bit float, 5 exponent bits.</summary>
    F8E5M2,

    /// <summary>8-bit float, 4 exponent bits.</summary>
    F8E4M3,

    /// <summary>8-bit power-of-two scale.</summary>
    F8E8M0,

    /// <summary>8-bit float, 4 exponent bits, no negative zero.</summary>
    F8E4M3Fnuz,

    /// <summary>8-bit float, 5 exponent bits, no negative zero.</summary>
    F8E5M2Fnuz,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Unsigned 16-bit integer.</summary>
    U16,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>Upper half of an IEEE single.</summary>
    BF16,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Unsigned 32-bit integer.</summary>
    U32,

    /// <summary>IEEE single precision.</summary>
    F32,

    /// <summary>Two IEEE singles.</summary>
    C64,

    /// <summary>IEEE double precision.</summary>
    F64,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Unsigned 64-bit integer.</summary>
    U64,
}

/// <summary>Names and sizes of <see cref="SafetensorsDtype"/>.</summary>
public static class SafetensorsDtypes
{
    private static readonly (string Name, int Bits)[] Table =
    [
        ("BOOL", 8), ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6), ("U8", 8), ("I8", 8), ("F8_E5M2", 8), ("F8_E4M3", 8), ("F8_E8M0", 8),
        ("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8), ("I16", 16), ("U16", 16), ("F16", 16), ("BF16", 16), ("I32", 32), ("U32", 32), ("F32", 32),
        ("C64", 64), ("F64", 64), ("I64", 64), ("U64", 64),
    ];

    /// <summary>Bits of one element: 4 to 64.</summary>
    /// <param name="dtype">The type.</param>
    /// <returns>A number of bits.</returns>
    public static int Bits(this SafetensorsDtype dtype) => Table[(int)dtype].Bits;

    /// <summary>Name in the file header, such as <c>BF16</c>.</summary>
    /// <param name="dtype">The type.</param>
    /// <returns>The upper-case name.</returns>
    public static string FormatName(this SafetensorsDtype dtype) => Table[(int)dtype].Name;

    /// <summary>Whether weights may be stored in it: F64, F32, F16 or BF16.</summary>
    /// <param name="dtype">The type.</param>
    /// <returns>True for the four plain floating-point types.</returns>
    public static bool IsWeight(this SafetensorsDtype dtype) =>
        dtype is SafetensorsDtype.F64 or SafetensorsDtype.F32 or SafetensorsDtype.F16 or SafetensorsDtype.BF16;

    /// <summary>Finds a type by its exact, case-sensitive name in the file header.</summary>
    /// <param name="name">For example <c>F32</c>.</param>
    /// <param name="dtype">The type.</param>
    /// <returns>False when there is no such type.</returns>
    public static bool TryParse(string name, out SafetensorsDtype dtype)
    {
        int i = Array.FindIndex(Table, t => t.Name == name);
        dtype = (SafetensorsDtype)Math.Max(i, 0);
        return i >= 0;
    }

    /// <summary>The type that config.json calls <paramref name="torchName"/>: float32, float16, bfloat16 or float64.</summary>
    /// <param name="torchName">A value of torch_dtype.</param>
    /// <returns>F32, F16, BF16 or F64.</returns>
    /// <exception cref="CheckpointException">The name is another one.</exception>
    public static SafetensorsDtype FromTorchName(string torchName) => torchName switch
    {
        "float64" => SafetensorsDtype.F64,
        "float32" => SafetensorsDtype.F32,
        "float16" => SafetensorsDtype.F16,
        "bfloat16" => SafetensorsDtype.BF16,
        _ => throw new CheckpointException($"Weights cannot be stored as '{torchName}'. Use float32, float16, bfloat16 or float64."),
    };
}
