namespace LlmShearing.Data.Mds;

/// <summary>A numeric array of an MDS sample.</summary>
/// <param name="Dtype">NumPy name of its type, such as <c>int32</c>.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Values">Values in row-major order: long, ulong (for uint64) or double.</param>
public sealed record MdsArray(string Dtype, IReadOnlyList<long> Shape, IReadOnlyList<object> Values);
