// The code in docs/masks.md is this code.
using LlmShearing.Masks.Learning;
using LlmShearing.Planning;
using LlmShearing.Testing;
using LlmShearing.Training.Runs;

namespace LlmShearing.Masks.Tests.Docs;

[Collection("tensor count")]
public sealed class MasksPageTests
{
    [Fact]
    public void Learner_Snippet_Works()
    {
        using var folder = new TemporaryFolder();
        string runFolder = folder["run"];
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 12, hidden: 128, intermediate: 256), seed: 1);
        using var data = new ScriptedData();
        var options = new TrainingRunOptions { Steps = 2, EvaluateEvery = 1 };
        IReadOnlyList<EvaluationSet> heldOut = ScriptedData.Evaluation();

        // <snippet>
        LlamaShape target = TargetShape.Of(model.Config.Shape, new TargetSizes { Hidden = 96, Intermediate = 224, Layers = 10 });
        using var learner = new MaskLearner(model, MaskLayout.ForTarget(model.Config.Shape, target), new MaskLearningOptions { RampSteps = 60 });
        TrainingResult result = new Trainer().Run(learner, data, options, runFolder, heldOut);
        if (learner.Convergence(result.Step).Problem is { } problem)
            Console.Error.WriteLine(problem);
        using LlamaModel smaller = learner.Cut();
        // </snippet>
        Assert.Equal(target, smaller.Config.Shape);
        Assert.Equal(["hidden", "intermediate", "layers"], learner.Masks.Layout.Families.Select(f => f.Name));
    }

    [Fact]
    public void Page_Snippets_AreTheCodeAbove() => PageSnippets.AssertEqual("masks.md");

    // The tables of names are checked against the names the library knows.
    [Fact]
    public void Page_KindsOfMasks_AreAll()
    {
        string page = File.ReadAllText(Path.Combine(Goldens.RepositoryRoot, "docs", "masks.md"));
        Assert.All(MaskFamily.NameList.Split(", "), name => Assert.Contains($"`{name}`", page, StringComparison.Ordinal));
    }
}
