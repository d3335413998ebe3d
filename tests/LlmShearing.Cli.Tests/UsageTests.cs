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

    // Names of other tools, slips of the hand, and both spellings of dashes.
    [Theory]
    [InlineData("generate", "--max-tokens", "'--max-new-tokens'")]
    [InlineData("generate", "--max_new_tokens", "'--max-new-tokens'")]
    [InlineData("generate", "--max-new-token=5", "'--max-new-tokens'")]
    [InlineData("generate", "--model", "The model is given without an option")]
    [InlineData("generate", "-m", "The model is given without an option")]
    [InlineData("generate", "--temp", "'--temperature'")]
    [InlineData("train", "--learning-rate", "'--lr'")]
    [InlineData("train", "--learning_rate", "'--lr'")]
    [InlineData("train", "--output", "'--out'")]
    [InlineData("train", "--output_dir", "'--out'")]
    [InlineData("train", "--num-steps", "'--steps'")]
    [InlineData("train", "--batch", "'--batch-size'")]
    [InlineData("train", "--max-grad-norm", "'--clip'")]
    [InlineData("train", "--bacth-size", "'--batch-size'")]
    [InlineData("tune", "--lora-r", "'--rank'")]
    [InlineData("prune", "--sparsity", "'--ratio'")]
    [InlineData("eval", "--batch", "'--batch-tokens'")]
    [InlineData("eval", "--dataset", "'--file'")]
    [InlineData("tokenize", "--seq-len", "'--length'")]
    public void UnknownOption_NearOrFromAnotherTool_IsSuggested(string verb, string option, string meant)
    {
        string error = Shear.BadInput(verb, Shear.Demo, option, "5");
        Assert.Contains($"'{option}' is no option of 'shear {verb}'.", error, StringComparison.Ordinal);
        Assert.Contains(meant, error, StringComparison.Ordinal);
        Assert.DoesNotContain("'5'", error, StringComparison.Ordinal);
    }

    [Fact]
    public void UnknownOption_WhereAnArgumentOrMoreFilesCouldStand_IsNoPath()
    {
        Assert.Contains("'--jsn' is no option of 'shear inspect'. Did you mean '--json'?", Shear.BadInput("inspect", "--jsn"), StringComparison.Ordinal);
        Assert.Contains("'--feild' is no option of 'shear eval'. Did you mean '--field'?", Shear.BadInput("eval", Shear.Demo, "--file", "a.jsonl", "--feild", "text"), StringComparison.Ordinal);
        Assert.Contains("--absent", Shear.Run("inspect", "--", "--absent").Error, StringComparison.Ordinal);
        Assert.DoesNotContain("no option", Shear.Run("inspect", "--", "--absent").Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("evaluate", "'eval'")]
    [InlineData("fine-tune", "'tune'")]
    [InlineData("preprocess", "'tokenize'")]
    [InlineData("infpect", "'inspect'")]
    [InlineData("Prune", "'prune'")]
    public void UnknownVerb_NearOrFromAnotherTool_IsSuggested(string verb, string meant) =>
        Assert.Contains($"'{verb}' is no verb of shear. Did you mean {meant}?", Shear.BadInput(verb), StringComparison.Ordinal);

    [Theory]
    [InlineData("score", "--scorer", "tayler", "'taylor'")]
    [InlineData("score", "--scorer", "ppl", "'block-perplexity'")]
    [InlineData("score", "--block-reduction", "product", "'prod'")]
    [InlineData("eval", "--compute", "bf16", "'bfloat16'")]
    [InlineData("eval", "--protocol", "shortened-lama", "'shortened-llama'")]
    [InlineData("train", "--template", "alpaca-lore", "'alpaca-lora'")]
    public void OptionValue_NearOrFromAnotherTool_IsSuggested(string verb, string option, string value, string meant) =>
        Assert.Contains($"Did you mean {meant}?", Shear.BadInput(verb, Shear.Demo, option, value), StringComparison.Ordinal);

    [Theory]
    [InlineData("generate", "--zzz")]
    [InlineData("xyzzyx")]
    public void Unknown_NothingNear_SuggestsNothing(params string[] args) =>
        Assert.DoesNotContain("Did you mean", Shear.BadInput(args), StringComparison.Ordinal);

    [Fact]
    public void TooMuch_SaysWhatTheVerbTakes() =>
        Assert.Contains("'extra' is too much: 'shear inspect' takes MODEL and options.", Shear.BadInput("inspect", Shear.Demo, "extra"), StringComparison.Ordinal);

    // Programs read standard output; people read standard error. Each gets the failure once.
    [Theory]
    [InlineData("usage", "evl")]
    [InlineData("usage", "eval", "MODEL", "--txt", "a")]
    [InlineData("usage", "eval")]
    [InlineData("usage", "score", "MODEL", "--threads", "0")]
    [InlineData("usage", "eval", "MODEL")]
    [InlineData("usage", "train", "MODEL", "--config", "absent.json")]
    [InlineData("input", "inspect", "absent")]
    [InlineData("input", "apply", "MODEL", "--plan", "absent.json", "--out", "out")]
    public void Failure_WithJson_IsOneObject(string kind, params string[] args)
    {
        ShearResult result = Shear.Run([.. args.Select(a => a == "MODEL" ? Shear.Demo : a), "--json"]);
        Assert.Equal(2, result.Code);
        Assert.Equal(kind, result.Json.GetProperty("kind").GetString());
        Assert.Equal(2, result.Json.GetProperty("exit_code").GetInt32());
        Assert.Contains("shear: " + result.Json.GetProperty("error").GetString(), result.Error, StringComparison.Ordinal);
        Assert.Equal(1, result.Out.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("tokens")]
    [InlineData("tokenize")]
    [InlineData("split")]
    [InlineData("score")]
    [InlineData("plan")]
    [InlineData("apply")]
    [InlineData("prune")]
    [InlineData("eval")]
    [InlineData("reference-loss")]
    [InlineData("generate")]
    [InlineData("run")]
    [InlineData("learn")]
    [InlineData("fold")]
    [InlineData("train")]
    [InlineData("tune")]
    [InlineData("merge")]
    [InlineData("convert")]
    [InlineData("demo")]
    public void Cancelled_WithJson_IsOneObjectInEveryVerb(string verb)
    {
        ShearResult result = Shear.Run(new CancellationToken(true), verb, Shear.Demo, "--json", "--quiet");
        Assert.Equal((1, "cancelled"), (result.Code, result.Json.GetProperty("kind").GetString()));
    }

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
        // The argument has its name, not the files that completion would offer.
        Assert.Contains("Arguments:\n  <MODEL>", result.Out, StringComparison.Ordinal);
        Assert.Contains("--json", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Version_IsPrinted() => Assert.Matches(@"^\d+\.\d+\.\d+\S*\n$", Shear.Run("--version").Out);

    [Fact]
    public void CancelledBeforehand_SaysCancelledAndFails()
    {
        ShearResult result = Shear.Run(new CancellationToken(true), "inspect", Shear.Demo, "--json");
        Assert.Equal((1, "{\"error\":\"cancelled\",\"kind\":\"cancelled\",\"exit_code\":1}\n", "shear: cancelled\n"), (result.Code, result.Out, result.Error));
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
        Assert.Equal((1, "failed"), (result.Code, result.Json.GetProperty("kind").GetString()));
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
