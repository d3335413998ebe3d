// Which assembly may know which, read from what the compiler wrote.
using System.Reflection;
using System.Runtime.CompilerServices;
using LlmShearing.Data.Formats;
using LlmShearing.Lora;
using LlmShearing.Masks;
using LlmShearing.Tokenizers;
using LlmShearing.Training.Runs;

namespace LlmShearing.Cli.Tests;

public class AssemblyBordersTests
{
    private static readonly Assembly[] s_libraries =
    [
        typeof(ShearingException).Assembly, typeof(ITokenizer).Assembly, typeof(LlamaModel).Assembly, typeof(Trainer).Assembly,
        typeof(LearnedMaskScorer).Assembly, typeof(LoraOptions).Assembly, typeof(TokenRows).Assembly, typeof(LlmShearingServiceCollectionExtensions).Assembly,
    ];

    public static TheoryData<string, string[]> Allowed => new()
    {
        { "LlmShearing.Primitives", [] },
        { "LlmShearing.Tokenizers", ["LlmShearing.Primitives"] },
        { "LlmShearing.Core", ["LlmShearing.Primitives"] },
        { "LlmShearing.Training", ["LlmShearing.Core", "LlmShearing.Primitives"] },
        { "LlmShearing.Masks", ["LlmShearing.Core", "LlmShearing.Primitives", "LlmShearing.Training"] },
        { "LlmShearing.Lora", ["LlmShearing.Core", "LlmShearing.Primitives", "LlmShearing.Training"] },
        { "LlmShearing.Data", ["LlmShearing.Core", "LlmShearing.Primitives", "LlmShearing.Tokenizers", "LlmShearing.Training"] },
        { "LlmShearing", [.. s_libraries.Select(a => a.GetName().Name!)] },
    };

    [Theory]
    [MemberData(nameof(Allowed))]
    public void Assembly_KnowsOnlyThoseBelowIt(string name, string[] allowed)
    {
        IEnumerable<string> known = Of(name).GetReferencedAssemblies().Select(a => a.Name!).Where(n => n.StartsWith("LlmShearing", StringComparison.Ordinal));
        Assert.Empty(known.Except(allowed));
    }

    [Theory]
    [InlineData("LlmShearing.Primitives")]
    [InlineData("LlmShearing.Tokenizers")]
    public void Assembly_WithoutTensors_KnowsNoTorchSharp(string name) =>
        Assert.DoesNotContain(Of(name).GetReferencedAssemblies(), a => a.Name == "TorchSharp");

    [Fact]
    public void Internals_AreVisibleToTestsOnly() => Assert.All(
        s_libraries.SelectMany(a => a.GetCustomAttributes<InternalsVisibleToAttribute>()),
        seen => Assert.True(seen.AssemblyName.EndsWith(".Tests", StringComparison.Ordinal) || seen.AssemblyName == "LlmShearing.Testing", seen.AssemblyName));

    private static Assembly Of(string name) => s_libraries.Single(a => a.GetName().Name == name);
}
