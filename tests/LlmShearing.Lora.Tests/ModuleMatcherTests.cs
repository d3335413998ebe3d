// Which modules the options mean; expected sets follow PEFT's rules.
using LlmShearing.Testing;

namespace LlmShearing.Lora.Tests;

public class ModuleMatcherTests
{
    private static readonly LlamaShape Shape = TinyLlama.Config().Shape;

    [Fact]
    public void Targets_Names_MatchWholeNamesOrEndsAfterADot()
    {
        Assert.Equal(["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj", "model.layers.2.self_attn.q_proj"], Targets(new() { TargetModules = ["q_proj"] }));
        Assert.Equal(["model.layers.1.self_attn.q_proj"], Targets(new() { TargetModules = ["model.layers.1.self_attn.q_proj"] }));
        Assert.Equal(["model.layers.2.mlp.up_proj"], Targets(new() { TargetModules = ["2.mlp.up_proj"] }));
        Assert.Throws<LoraException>(() => Targets(new() { TargetModules = ["_proj"] }));                         // not after a dot
    }

    [Fact]
    public void Targets_Expression_MatchesWholeNames()
    {
        Assert.Equal(["model.layers.0.mlp.up_proj", "model.layers.2.mlp.up_proj"], Targets(new() { TargetPattern = @".*\.[02]\.mlp\.up_proj" }));
        Assert.Throws<LoraException>(() => Targets(new() { TargetPattern = @"\.mlp\.up_proj" }));                 // not whole
        Assert.Equal(["model.layers.0.mlp.up_proj", "model.layers.0.mlp.down_proj"], Targets(new() { TargetPattern = @"model\.layers\.0\.mlp\.up_proj|model\.layers\.0\.mlp\.down_proj" }));
    }

    [Fact]
    public void Targets_AllLinear_AreTheProjectionsOfTheBlocks()
    {
        Assert.Equal(21, Targets(new()).Length);
        Assert.Equal(21, Targets(new() { TargetPattern = "all-linear" }).Length);
        Assert.Equal(7, Targets(new() { TargetPattern = "all-linear", LayersToTransform = [1] }).Length);
    }

    [Fact]
    public void Targets_Exclusions_Win()
    {
        Assert.Equal(["model.layers.0.self_attn.v_proj", "model.layers.2.self_attn.v_proj"],
            Targets(new() { TargetModules = ["q_proj", "v_proj"], ExcludeModules = ["q_proj", "1.self_attn.v_proj"] }));
        Assert.Equal(["model.layers.0.self_attn.v_proj"], Targets(new() { TargetModules = ["q_proj", "v_proj"], ExcludePattern = @".*q_proj|.*\.[12]\..*" }));
        Assert.Equal(18, Targets(new() { ModulesToSave = ["mlp.up_proj"] }).Length);
    }

    [Fact]
    public void Targets_Layers_AreThoseOfTheFirstListInTheName()
    {
        Assert.Equal(["model.layers.0.self_attn.k_proj", "model.layers.2.self_attn.k_proj"], Targets(new() { TargetModules = ["k_proj"], LayersToTransform = [2, 0] }));
        Assert.Equal(["model.layers.2.self_attn.k_proj"], Targets(new() { TargetModules = ["k_proj"], LayersToTransform = [2], LayersPattern = ["h", "layers"] }));
        Assert.Throws<LoraException>(() => Targets(new() { TargetModules = ["k_proj"], LayersToTransform = [2], LayersPattern = ["h"] }));
        Assert.Contains("LayersToTransform", Assert.Throws<LoraException>(() => Targets(new() { TargetPattern = ".*k_proj", LayersToTransform = [2] })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Patterns_FirstInOrdinalOrderWins_AnchoredAtADotOrTheStart()
    {
        var options = new LoraOptions
        {
            Rank = 4,
            Alpha = 8,
            TargetModules = ["q_proj", "down_proj"],
            RankPattern = new Dictionary<string, int> { ["model.layers.1.mlp.down_proj"] = 5, ["layers.0.self_attn.q_proj"] = 2, ["down_proj"] = 3, ["_proj"] = 9 },
            AlphaPattern = new Dictionary<string, double> { [@"layers\.[12]\.mlp\.down_proj"] = 9 },
        };
        LoraLayout layout = LoraLayout.Create(options, Shape, strict: true);
        LoraTarget Of(string module) => layout.Targets.Single(t => t.Module == module);
        Assert.Equal(3, Of("model.layers.1.mlp.down_proj").Rank);
        Assert.Equal(2, Of("model.layers.0.self_attn.q_proj").Rank);
        Assert.Equal(4, Of("model.layers.1.self_attn.q_proj").Rank);
        Assert.Equal(3.0, Of("model.layers.1.mlp.down_proj").Scale);
        Assert.Equal(8.0 / 3, Of("model.layers.0.mlp.down_proj").Scale);
        Assert.Equal(9 / Math.Sqrt(3), LoraLayout.Create(options with { UseRsLora = true }, Shape, strict: true).Targets.Single(t => t.Module == "model.layers.2.mlp.down_proj").Scale);
    }

    [Fact]
    public void Create_WhatCannotBeAdapted_IsRefusedByName()
    {
        AssertRefused(new() { TargetModules = ["q_proj", "qkv_proj"] }, "TargetModules names 'qkv_proj'");
        AssertRefused(new() { TargetModules = ["q_proj", "embed_tokens"] }, "'model.embed_tokens'");
        AssertRefused(new() { TargetPattern = ".*" }, "'model.embed_tokens'");
        AssertRefused(new() { ModulesToSave = ["head"], TargetModules = ["norm"] }, "norm");
        AssertRefused(new() { ModulesToSave = ["classifier"] }, "ModulesToSave names 'classifier'");
        AssertRefused(new() { TargetModules = ["q_proj"], TargetPattern = "x" }, "TargetModules and TargetPattern");
        AssertRefused(new() { Rank = 0 }, "Rank");
        AssertRefused(new() { Dropout = 1 }, "Dropout");
        AssertRefused(new() { RankPattern = new Dictionary<string, int> { ["q_proj"] = 0 } }, "RankPattern['q_proj'] is 0");
        AssertRefused(new() { AlphaPattern = new Dictionary<string, double> { ["q_proj"] = double.NaN } }, "AlphaPattern['q_proj'] is NaN");
        AssertRefused(new() { ModulesToSave = ["lm_head"] }, "'lm_head'", TinyLlama.Config(tied: true).Shape);
        AssertRefused(new() { ModulesToSave = ["embed_tokens"] }, "'model.embed_tokens'", TinyLlama.Config(tied: true).Shape);
        AssertRefused(new() { TargetPattern = "(.*.*.*.*.*.*.*.*)*Z" }, "takes too long");
    }

    private static void AssertRefused(LoraOptions options, string expected, LlamaShape? shape = null)
    {
        LoraException error = Assert.Throws<LoraException>(() => LoraLayout.Create(options, shape ?? Shape, strict: true));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    private static string[] Targets(LoraOptions options) => [.. LoraLayout.Create(options, Shape, strict: false).Targets.Select(t => t.Module)];
}
