using Xunit;

namespace LlmShearing.Testing;

/// <summary>A fact that needs reference data (paths relative to the goldens); skipped, naming the path, when it is absent.</summary>
public sealed class GoldenFactAttribute : FactAttribute
{
    /// <param name="required">Files or folders that must be there.</param>
    public GoldenFactAttribute(params string[] required) => Skip = GoldenRequirement.Missing(required);
}

/// <summary>A theory that needs reference data; skipped, naming the path, when it is absent.</summary>
public sealed class GoldenTheoryAttribute : TheoryAttribute
{
    /// <param name="required">Files or folders that must be there.</param>
    public GoldenTheoryAttribute(params string[] required) => Skip = GoldenRequirement.Missing(required);
}

internal static class GoldenRequirement
{
    public static string? Missing(string[] required)
    {
        string[] absent = [.. required.Where(r => Goldens.TryPath(r) is null)];
        return absent.Length == 0 ? null : "Reference data absent: " + string.Join(", ", absent);
    }
}
