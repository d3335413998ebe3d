namespace LlmShearing.Core.Tests.Planning;

public class IndexSetTests
{
    [Fact]
    public void Parse_ToString_RoundTripsRandomSets()
    {
        var random = new Random(3);
        for (int i = 0; i < 200; i++)
        {
            IndexSet set = TestShapes.Subset(random.Next(40), random);
            Assert.Equal(set, IndexSet.Parse(set.ToString()));
            Assert.Equal(set.GetHashCode(), IndexSet.Parse(set.ToString()).GetHashCode());
        }
    }

    [Theory]
    [InlineData("3-1")]
    [InlineData("1,1")]
    [InlineData("2,1")]
    [InlineData("0-3,2")]
    [InlineData("-1")]
    [InlineData("1-2-3")]
    [InlineData(" 1")]
    [InlineData("1,")]
    [InlineData("0x1")]
    [InlineData("99999999999")]
    public void Parse_OtherText_IsRefused(string text) => Assert.Throws<PlanException>(() => IndexSet.Parse(text));

    [Fact]
    public void Parse_BeyondSize_IsRefusedBeforeExpanding()
    {
        Assert.Equal("0-3", IndexSet.Parse("0-3", 4).ToString());
        Assert.Contains("goes beyond the 4 units", Assert.Throws<PlanException>(() => IndexSet.Parse("0-2147483647", 4)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Then_PositionOutside_IsRefused()
    {
        Assert.Equal("2,7", IndexSet.Parse("2,5,7").Then(IndexSet.Parse("0,2")).ToString());
        Assert.Throws<PlanException>(() => IndexSet.Parse("2,5,7").Then(IndexSet.Parse("3")));
    }

    [Fact]
    public void IsAll_OnlyForTheFullRange()
    {
        Assert.True(IndexSet.All(3).IsAll(3));
        Assert.True(IndexSet.Empty.IsAll(0));
        Assert.False(IndexSet.Parse("1-3").IsAll(3));
        Assert.False(IndexSet.All(2).IsAll(3));
    }
}
