// Single rows with known answers: sums of exactly k + 1/2, exact targets, and a table of samples.
using System.Text.Json.Nodes;
using LlmShearing.Testing;

namespace LlmShearing.Masks.Tests;

public sealed class L0SpecialTests
{
    private const string Folder = "shearing/l0/special";

    [GoldenTheory(Folder)]
    [InlineData("half-even-5"), InlineData("half-even-7"), InlineData("half-even-11"), InlineData("six")]
    [InlineData("target-4-of-9"), InlineData("target-9-of-9"), InlineData("target-1-of-9"), InlineData("target-5-of-17")]
    public void Deterministic_OneRow_MatchesReference(string name)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(Goldens.Path(Folder + "/case.json")))![name]!;
        using var golden = new GoldenTensors(Folder + "/tensors.safetensors");
        float[] logits = golden.Floats(name + ".loga"), expected = golden.Floats(name + ".z_eval");
        int size = logits.Length, zeros = expected.Count(z => z == 0);
        bool exact = name.StartsWith("target", StringComparison.Ordinal);
        LlamaShape source = L0Case.Uniform(size, 4, 4, 6, 2, 4);
        MaskLayout layout = exact ? MaskLayout.ForTarget(source, source with { HiddenSize = size - zeros }, PruningAxes.Hidden) : MaskLayout.ForBudget(source, PruningAxes.Hidden);
        using var state = new MaskState(new SparsityConstraint(layout, new SparsityRamp(0), exact ? null : 0.5));
        state.SetLogits(PruningAxes.Hidden, logits);
        Near.Equal(expected, state.Deterministic(exact)[PruningAxes.Hidden]!.Value.Span, 1e-6);
        if (json["zeros"] is { } count)
            Assert.Equal(count.GetValue<int>(), zeros);
        if (json["sparsity"] is { } sparsity)
        {
            Near.Equal(golden.Floats(name + ".score"), [.. state.Scores()[PruningAxes.Hidden].Select(s => (float)s)], 1e-6);
            Near.Equal(sparsity.GetValue<double>(), state.Evaluate(0).Families.Single().Expected, 1e-6);
        }
    }

    [GoldenFact(Folder)]
    public void Sample_TableOfUniforms_MatchesReference()
    {
        using var golden = new GoldenTensors(Folder + "/tensors.safetensors");
        float[] logits = golden.Floats("table.loga"), uniforms = golden.Floats("table.u");
        Near.Equal(golden.Floats("table.p_zero"), [.. logits.Select(a => (float)HardConcrete.ProbabilityOfZero(a))], 1e-6);
        Near.Equal(golden.Floats("table.stretched"), [.. logits.SelectMany(a => uniforms.Select(u => (float)HardConcrete.Stretched(a, u)))], 1e-6);
        Near.Equal(golden.Floats("table.z"), [.. logits.SelectMany(a => uniforms.Select(u => (float)HardConcrete.Sample(a, u).Value))], 1e-6);
    }
}
