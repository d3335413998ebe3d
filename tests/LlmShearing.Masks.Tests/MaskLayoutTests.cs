// Which masks a model and a target get, and which targets are refused.
namespace LlmShearing.Masks.Tests;

public sealed class MaskLayoutTests
{
    private static readonly LlamaShape Heads = L0Case.Uniform(16, 4, 4, 24, 3, 4);
    private static readonly LlamaShape Groups = L0Case.Uniform(16, 6, 2, 24, 3, 4);

    [Fact]
    public void ForTarget_SomeSizesChange_MasksThoseOnly()
    {
        MaskLayout layout = MaskLayout.ForTarget(Heads, L0Case.Uniform(16, 2, 2, 12, 3, 4));
        Assert.Equal([new MaskFamily(PruningAxes.QueryHeads, 3, 4, 2), new MaskFamily(PruningAxes.Intermediate, 3, 24, 12)], layout.Families.AsEnumerable());
    }

    [Fact]
    public void ForTarget_GroupedQueries_MasksGroupsAndHeadsWithin()
    {
        Assert.Equal(
            [new MaskFamily(PruningAxes.KeyValueGroups, 3, 2, 1), new MaskFamily(PruningAxes.QueryHeads, 6, 3, 2)],
            MaskLayout.ForTarget(Groups, L0Case.Uniform(16, 2, 1, 24, 3, 4)).Families.AsEnumerable());
        Assert.Equal([new MaskFamily(PruningAxes.QueryHeads, 6, 3, 2)], MaskLayout.ForTarget(Groups, L0Case.Uniform(16, 4, 2, 24, 3, 4)).Families.AsEnumerable());
        Assert.Equal([PruningAxes.KeyValueGroups], MaskLayout.ForTarget(Groups, L0Case.Uniform(16, 3, 1, 24, 3, 4)).Families.Select(f => f.Axis));
    }

    [Theory]
    [InlineData(32, 4, 4, 24, 3, "hidden size: the target wants 32, the model has 16")]
    [InlineData(16, 5, 5, 24, 3, "query heads: the target wants 5, the model has 4")]
    [InlineData(16, 4, 4, 25, 3, "intermediate size: the target wants 25, the model has 24")]
    [InlineData(16, 4, 4, 24, 4, "number of blocks: the target wants 4, the model has 3")]
    [InlineData(0, 4, 4, 24, 3, "hidden size: the target wants 0; at least 1 must stay")]
    [InlineData(16, 0, 0, 24, 3, "blocks of the target are not all alike, or lack a sub-block")]
    [InlineData(16, 4, 4, 0, 3, "blocks of the target are not all alike, or lack a sub-block")]
    [InlineData(16, 4, 4, 24, 0, "blocks of the target are not all alike, or lack a sub-block")]
    [InlineData(16, 3, 2, 24, 3, "the target has 3 over 2 key/value heads, which cannot be shared out equally")]
    [InlineData(16, 4, 2, 24, 3, "2 each; the model has 1 each")]
    [InlineData(16, 4, 4, 24, 3, "there is nothing to learn")]
    public void ForTarget_ThatCannotBeReached_IsRefused(int hidden, int queryHeads, int keyValueHeads, int intermediate, int layers, string message)
    {
        LlamaShape target = L0Case.Uniform(hidden, queryHeads, keyValueHeads, intermediate, layers, 4);
        Assert.Contains(message, Assert.Throws<MaskException>(() => MaskLayout.ForTarget(Heads, target)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PruningAxes.Hidden, "The target changes Intermediate, which has no mask")]
    [InlineData(PruningAxes.Intermediate | PruningAxes.Layers | PruningAxes.Mlp, "exclude each other")]
    [InlineData(PruningAxes.Intermediate | PruningAxes.KeyValueGroups, "give query-heads instead")]
    [InlineData(PruningAxes.None, "nothing to learn")]
    [InlineData((PruningAxes)1024, "is no kind of unit")]
    public void ForTarget_AxesThatDoNotFit_AreRefused(PruningAxes axes, string message)
    {
        LlamaShape target = L0Case.Uniform(16, 4, 4, 12, 3, 4);
        Assert.Contains(message, Assert.Throws<MaskException>(() => MaskLayout.ForTarget(Heads, target, axes)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ForTarget_OtherHeadDimensionOrVocabulary_IsRefused()
    {
        LlamaShape target = L0Case.Uniform(16, 4, 4, 12, 3, 4);
        foreach (LlamaShape other in new[] { target with { HeadDim = 2 }, target with { VocabSize = 100 }, target with { TiedEmbeddings = true } })
            Assert.Contains("start the target from the model's shape", Assert.Throws<MaskException>(() => MaskLayout.ForTarget(Heads, other)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ForBudget_UnevenModelOrNoAxis_IsRefused()
    {
        LlamaShape uneven = Heads with { Layers = [.. Heads.Layers[..2], new LayerShape(2, 2, 24)] };
        Assert.Contains("of the model are not all alike", Assert.Throws<MaskException>(() => MaskLayout.ForBudget(uneven, PruningAxes.Hidden)).Message, StringComparison.Ordinal);
        Assert.Contains("No axis was given", Assert.Throws<MaskException>(() => MaskLayout.ForBudget(Heads, PruningAxes.None)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_KnownNames_GivesTheAxes()
    {
        Assert.Equal(PruningAxes.None, MaskFamily.Parse([]));
        Assert.Equal(
            PruningAxes.Width | PruningAxes.Layers | PruningAxes.Attention | PruningAxes.Mlp,
            MaskFamily.Parse(["hidden", "query-heads", "key-value-groups", "intermediate", "layers", "attention", "mlp"]));
    }

    [Theory]
    [InlineData("heads", "No masks are known as 'heads'. Known: hidden, key-value-groups, query-heads, intermediate, layers, attention, mlp.")]
    [InlineData("Hidden", "No masks are known as 'Hidden'")]
    [InlineData("qk-head-dim", "Masks inside heads ('qk-head-dim') are not supported")]
    [InlineData("vo-head-dim", "Masks inside heads ('vo-head-dim') are not supported")]
    [InlineData("mlp", "'mlp' are given twice")]
    public void Parse_OtherNames_AreRefused(string name, string message) =>
        Assert.Contains(message, Assert.Throws<MaskException>(() => MaskFamily.Parse(["mlp", name])).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(PruningAxes.None), InlineData(PruningAxes.Width), InlineData((PruningAxes)1024)]
    public void NameOf_NotASingleAxis_IsRefused(PruningAxes axes) => Assert.Throws<MaskException>(() => MaskFamily.NameOf(axes));
}
