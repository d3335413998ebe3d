using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Packaging;

/// <summary>Where tests take their reference data from.</summary>
public sealed class GoldensTests
{
    [Fact]
    public void Roots_FolderAskedFor_IsTheOnlyOne()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["goldens"]);
        string[] roots = Goldens.RootsFor(folder.Path);
        Assert.Equal([folder.Path], roots);
        // In tests/data, but not in the folder that was asked for.
        Assert.NotNull(Goldens.Find(Goldens.RootsFor(Goldens.Compact), "goldens/hf/optim/meta.json"));
        Assert.Null(Goldens.Find(roots, "goldens/hf/optim/meta.json"));
    }

    [Fact]
    public void Roots_FolderWithoutGoldens_IsRefused()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("has no folder 'goldens'", Assert.Throws<DirectoryNotFoundException>(() => Goldens.RootsFor(folder.Path)).Message, StringComparison.Ordinal);
        Assert.Contains(Goldens.Variable, Assert.Throws<DirectoryNotFoundException>(() => Goldens.RootsFor(folder["absent"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Roots_NothingAskedFor_AreTheFullSetsThenTheCompactOnes() =>
        Assert.Equal(["shared", "data"], Goldens.RootsFor(null).Select(r => Path.GetFileName(r)));
}
