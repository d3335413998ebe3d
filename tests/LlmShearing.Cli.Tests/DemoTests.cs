namespace LlmShearing.Cli.Tests;

public sealed class DemoTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void ReferenceText_OfTheSdk_IsPlainText()
    {
        ReferenceText text = ReferenceText.Find(Path.Combine(LlmShearing.Testing.Goldens.RepositoryRoot, "docs"));
        Assert.True(text.Calibration.Length > 5_000 && text.Evaluation.Length > 5_000);
        Assert.DoesNotContain("<summary>", text.Calibration, StringComparison.Ordinal);
        Assert.NotEqual(text.Calibration, text.Evaluation);
        Assert.Empty(text.Training.Split('\n').Intersect(text.Evaluation.Split('\n')));
    }

    [Fact]
    public void Demo_LeavesAFolderForEveryCriterion()
    {
        ShearResult result = Shear.Run("demo", Shear.Demo, "--out", _scratch["demo"], "--text-folder", LlmShearing.Testing.Goldens.RepositoryRoot, "--steps", "2", "--quiet");
        Assert.Equal(("", 0), (result.Error, result.Code));
        foreach (string criterion in (string[])["magnitude", "taylor", "block-perplexity", "block-influence", "angular"])
        {
            Assert.Contains(criterion, result.Out, StringComparison.Ordinal);
            Assert.True(File.Exists(Path.Combine(_scratch["demo"], criterion, "config.json")));
        }

        Assert.Contains("2,477,184 -> 1,923,456", result.Out, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(_scratch["demo"], "adapter", "adapter_model.safetensors")));
        Assert.True(File.Exists(Path.Combine(_scratch["demo"], "recovered", "model.safetensors")));
    }
}
