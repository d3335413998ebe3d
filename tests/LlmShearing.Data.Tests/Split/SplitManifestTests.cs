// What a manifest of a split may say.
using LlmShearing.Data.Split;
using LlmShearing.Testing;

namespace LlmShearing.Data.Tests.Split;

public sealed class SplitManifestTests
{
    [Theory]
    [InlineData("7")]
    [InlineData("0")]
    [InlineData("Rows,Files")]
    [InlineData("rows")]
    public void Unit_IsOneOfTheNames(string unit)
    {
        using var folder = new TemporaryFolder();
        string file = folder["split.json"];
        File.WriteAllText(file, $$"""{ "format": "shear-split", "version": 1, "unit": "{{unit}}", "seed": 1, "domains": [] }""");
        Assert.Contains("'unit'", Assert.Throws<TokenDataException>(() => SplitPlan.Load(file)).Message, StringComparison.Ordinal);
    }
}
