using System.Text.Json;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Terminal;
using LlmShearing.Model;
using LlmShearing.Testing;

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

    [Fact]
    public void Demo_Learned_ComparesTwoRoutesToOneShape()
    {
        string[] command = ["demo", Shear.Demo, "--learned", "--out", _scratch["demo"], "--text-folder", LlmShearing.Testing.Goldens.RepositoryRoot, "--steps", "2"];
        JsonElement result = Shear.Json(command);
        Assert.Equal("""{"hidden":112,"heads":2,"intermediate":256,"layers":10}""", result.GetProperty("target").GetRawText());
        Assert.Equal(["hidden", "key-value-groups", "intermediate", "layers"], result.GetProperty("masks").GetProperty("sparsity").EnumerateObject().Select(m => m.Name));
        double dense = result.GetProperty("perplexity_dense").GetDouble();
        foreach (JsonProperty route in result.GetProperty("routes").EnumerateObject())
        {
            // 3 + 2 steps of 16 rows of 128 tokens on either route.
            Assert.Equal(5 * 16 * 128, route.Value.GetProperty("tokens").GetInt64());
            double cut = route.Value.GetProperty("perplexity_cut").GetDouble(), trained = route.Value.GetProperty("perplexity_trained").GetDouble();
            Assert.True(cut > dense && trained > dense && trained < cut, $"{route.Name}: {dense} {cut} {trained}");
        }

        foreach (string folder in (string[])["learned", "magnitude-trained"])
            Assert.Equal(result.GetProperty("parameters_after").GetInt64(), LlamaConfigJson.Load(Path.Combine(_scratch["demo"], folder, "config.json")).Shape.ParameterCount);

        Assert.Contains("--ratio is for depth", Shear.BadInput([.. command, "--ratio", "0.5"]), StringComparison.Ordinal);
        // Again: it starts anew, with the same numbers.
        ShearResult again = Shear.Run([.. command, "--quiet"]);
        Assert.Equal(("", 0), (again.Error, again.Code));
        Assert.Contains("1,306,928, 48% of those outside the embedding", again.Out, StringComparison.Ordinal);
        Assert.Contains(Numbers.Significant(result.GetProperty("routes").GetProperty("learned masks").GetProperty("perplexity_trained").GetDouble()), again.Out, StringComparison.Ordinal);
    }
}
