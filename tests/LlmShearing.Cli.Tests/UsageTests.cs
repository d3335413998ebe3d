namespace LlmShearing.Cli.Tests;

public sealed class UsageTests
{
    [Fact]
    public void NoArguments_PrintsHelpAndFails()
    {
        ShearResult result = Shear.Run();
        Assert.Equal(2, result.Code);
        Assert.Contains("prune", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void UnknownVerb_SuggestsAndFails()
    {
        string error = Shear.BadInput("evl");
        Assert.Contains("eval", error, StringComparison.Ordinal);
        Assert.Contains("shear --help", error, StringComparison.Ordinal);
    }

    [Fact]
    public void UnknownOption_SuggestsAndFails() =>
        Assert.Contains("--text", Shear.BadInput("tokens", Shear.Demo, "--txt", "a"), StringComparison.Ordinal);

    [Theory]
    [InlineData("--threads", "0", "a whole number from 1")]
    [InlineData("--samples", "x", "a whole number from 1")]
    [InlineData("--norm-power", "-1", "a number from 0.01 to 16")]
    [InlineData("--block-reduction", "median", "one of sum, mean, max, prod")]
    public void OptionValue_DoesNotFit_SaysWhatFits(string option, string value, string wanted) =>
        Assert.Contains($"{option} '{value}' does not fit: give {wanted}", Shear.BadInput("score", Shear.Demo, option, value), StringComparison.Ordinal);

    [Theory]
    [InlineData("inspect")]
    [InlineData("tokens")]
    [InlineData("score")]
    [InlineData("plan")]
    [InlineData("apply")]
    [InlineData("prune")]
    [InlineData("eval")]
    [InlineData("generate")]
    [InlineData("convert")]
    public void Help_OfEveryVerb_HasExamples(string verb)
    {
        ShearResult result = Shear.Run(verb, "--help");
        Assert.Equal(0, result.Code);
        Assert.Contains("Examples:", result.Out, StringComparison.Ordinal);
        Assert.Contains($"  shear {verb} MODEL", result.Out, StringComparison.Ordinal);
        Assert.Contains("--json", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Version_IsPrinted() => Assert.Matches(@"^\d+\.\d+\.\d+\S*\n$", Shear.Run("--version").Out);

    [Fact]
    public void CancelledBeforehand_SaysCancelledAndFails()
    {
        ShearResult result = Shear.Run(new CancellationToken(true), "inspect", Shear.Demo, "--json");
        Assert.Equal((1, "", "shear: cancelled\n"), (result.Code, result.Out, result.Error));
    }

    // /dev/full is a disk that is always full; a device is never renamed over.
    [Theory]
    [InlineData("tokens", "--text", "a")]
    [InlineData("plan", "--remove-layers", "3")]
    [InlineData("score", "--scorer", "magnitude")]
    public void FullDisk_IsAFailureAndNoBadInput(string verb, string option, string value)
    {
        if (!File.Exists("/dev/full"))
            return;
        ShearResult result = Shear.Run(verb, Shear.Demo, option, value, "--out", "/dev/full", "--json");
        Assert.Equal((1, ""), (result.Code, result.Out));
        Assert.Contains("No space left", result.Error, StringComparison.Ordinal);
        Assert.Equal("", File.ReadAllText("/dev/null"));
        Assert.False(File.Exists("/dev/full.part"));
    }

    [Fact]
    public void Out_ADevice_IsWrittenTo()
    {
        if (!File.Exists("/dev/null"))
            return;
        Assert.Equal(0, Shear.Run("plan", Shear.Demo, "--remove-layers", "3", "--out", "/dev/null", "--json").Code);
        Assert.Equal("", File.ReadAllText("/dev/null"));
    }
}
