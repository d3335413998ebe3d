using LlmShearing.Plans;

namespace LlmShearing.Core.Tests.Planning;

public class UnitSelectionTests
{
    [Theory]
    [InlineData("0-5,7")]
    [InlineData("3:0-5;4:0-2")]
    [InlineData("3:")]
    public void ToString_Parsed_GivesTheText(string text) => Assert.Equal(text, UnitSelection.Parse(text).ToString());

    [Fact]
    public void Parse_RangeOfBlocks_NamesEach() => Assert.Equal("2:0-1;3:0-1", UnitSelection.Parse("2-3:0-1").ToString());

    [Theory]
    [InlineData("", "No units are named")]
    [InlineData("3:0;3:1", "Block 3 is named twice")]
    [InlineData(":0", "':0' is not of the form block:units")]
    [InlineData("1:2:3", "'1:2:3' is not of the form block:units")]
    [InlineData("3:0;", "'' is not of the form block:units")]
    [InlineData("x", "'x' in 'x' is not an index or a range")]
    [InlineData("0-2000000000", "goes beyond the 16777216 units")]
    [InlineData("99999:0", "goes beyond the 65536 units")]
    public void Parse_OtherText_IsRefused(string text, string message) =>
        Assert.Contains(message, Assert.Throws<PlanException>(() => UnitSelection.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void FromKept_UnitsThatDoNotExist_AreRefusedByName()
    {
        Refused(new KeptUnits { QueryHeads = UnitSelection.Parse("0-4") }, "query heads: index 4 of block 0 does not exist; the block has 4");
        Refused(new KeptUnits { Layers = IndexSet.Parse("0-2"), Intermediate = UnitSelection.Parse("3:0") }, "intermediate: block 3 is named, but the plan keeps blocks 0-2");
        Refused(new KeptUnits { Layers = IndexSet.Parse("0-12") }, "layers: block 12 does not exist");
        Refused(new KeptUnits { Hidden = IndexSet.Parse("32") }, "index 32 of the hidden");
        Refused(new KeptUnits { Layers = IndexSet.Empty }, "keeps none of 12 blocks");

        static void Refused(KeptUnits kept, string text) =>
            Assert.Contains(text, Assert.Throws<PlanException>(() => PruningPlan.FromKept(TestShapes.Mha12, kept)).Message, StringComparison.Ordinal);
    }
}
