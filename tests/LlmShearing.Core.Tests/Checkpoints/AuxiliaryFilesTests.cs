// What lies beside the weights travels with the model, or is named: every writer of folders goes the same way.
using LlmShearing.Model;
using LlmShearing.Surgery;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Checkpoints;

public sealed class AuxiliaryFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Convert_FilesThatNoListKnows_Travel()
    {
        string[] files = ["tekken.json", "additional_chat_templates/tool_use.jinja", "tokenization_custom.py", "deep/er/notes.txt", "empty", ".gitattributes", "generation_config.json"];
        string source = Model(files);
        Assert.Empty(Convert(source));
        Assert.Equal([.. files.Append("config.json").Append("model.safetensors").Order(StringComparer.Ordinal)], Written());
        foreach (string file in files)
            Assert.Equal(File.ReadAllBytes(Path.Combine(source, file)), File.ReadAllBytes(Path.Combine(_folder["out"], file)));
    }

    [Fact]
    public void Convert_OtherWeights_StayBehindByName()
    {
        string source = Model("original/consolidated.00.pth", "original/params.json", "original/tokenizer.model", "onnx/model.onnx", "pytorch_model.bin", "consolidated.safetensors", "params.json", "model.Q4.GGUF",
            "pytorch_model.bin.index.json", "adapter_config.json", ".cache/x", "kept.txt");
        string warning = Assert.Single(Convert(source));
        foreach (string name in (string[])["original/ (holds weights", "onnx/ (holds weights", "pytorch_model.bin (weights", "consolidated.safetensors", "params.json", "model.Q4.GGUF", "pytorch_model.bin.index.json", "adapter_config.json", ".cache/ (hidden)"])
            Assert.Contains(name, warning, StringComparison.Ordinal);
        Assert.Equal(["config.json", "kept.txt", "model.safetensors"], Written());
    }

    [Fact]
    public void Convert_LargeFile_StaysBehindByName()
    {
        string source = Model("small.bin.txt");
        using (FileStream large = File.Create(Path.Combine(source, "large.dat")))
            large.SetLength((100L << 20) + 1);
        Assert.Contains("large.dat (104857601 bytes", Assert.Single(Convert(source)), StringComparison.Ordinal);
        Assert.Equal(["config.json", "model.safetensors", "small.bin.txt"], Written());
    }

    [Fact]
    public void Convert_Links_AreFollowedAsContentsButNeverRound()
    {
        string source = Model("templates/a.txt"), outside = _folder["outside"];
        Directory.CreateDirectory(outside);
        File.WriteAllText(Path.Combine(outside, "blob"), "content");
        File.WriteAllText(Path.Combine(_folder.Path, "secret"), "secret");
        File.CreateSymbolicLink(Path.Combine(source, "linked.json"), Path.Combine(outside, "blob"));
        Directory.CreateSymbolicLink(Path.Combine(source, "elsewhere"), outside);
        Directory.CreateSymbolicLink(Path.Combine(source, "self"), ".");
        Directory.CreateSymbolicLink(Path.Combine(source, "templates", "up"), Path.Combine("..", ".."));
        File.CreateSymbolicLink(Path.Combine(source, "gone"), "nowhere");
        string link = _folder["link"];
        Directory.CreateSymbolicLink(link, source);
        string warning = Assert.Single(Convert(link));
        Assert.Equal(["config.json", "elsewhere/blob", "linked.json", "model.safetensors", "templates/a.txt"], Written());
        Assert.Null(new FileInfo(Path.Combine(_folder["out"], "linked.json")).LinkTarget);
        foreach (string name in (string[])["self/ (a link", "templates/up/ (a link", "gone (a link to nothing)"])
            Assert.Contains(name, warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Save_FromAFolderThatHoldsTheTarget_DoesNotCopyItself()
    {
        string source = Model("a.txt"), inner = Path.Combine(source, "inner");
        using LlamaModel model = LlamaModel.Load(source);
        model.Save(inner, options: new() { AuxiliaryFilesFrom = source });
        Assert.Equal(["a.txt", "config.json", "model.safetensors"], Written(inner));
    }

    [Fact]
    public void Apply_LayersOfDifferentShapes_WarnsUnlessPadded()
    {
        string source = Model();
        LlamaShape shape = LlamaConfigJson.Load(Path.Combine(source, "config.json")).Shape;
        PruningPlan identity = PruningPlan.Identity(shape);
        PruningPlan plan = identity with { Layers = identity.Layers.SetItem(0, identity.Layers[0] with { Intermediate = IndexSet.Of([0, 1]) }) };
        var warnings = new WarningList();
        CheckpointSurgery.Apply(source, plan, _folder["exact"], new() { Logger = warnings });
        Assert.Contains("Padded", Assert.Single(warnings), StringComparison.Ordinal);
        CheckpointSurgery.Apply(source, plan, _folder["padded"], new() { Logger = warnings, Layout = CheckpointLayout.Padded });
        Assert.Single(warnings);
    }

    private WarningList Convert(string source)
    {
        var warnings = new WarningList();
        CheckpointSurgery.Convert(source, _folder["out"], new() { Logger = warnings });
        return warnings;
    }

    private string[] Written(string? folder = null) => [.. Directory.GetFiles(folder ?? _folder["out"], "*", SearchOption.AllDirectories)
        .Select(f => Path.GetRelativePath(folder ?? _folder["out"], f).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    private string Model(params string[] beside)
    {
        using LlamaModel model = TinyLlama.Create();
        string folder = TinyFolder.Write(model, _folder["model"]);
        foreach (string name in beside)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, name))!);
            File.WriteAllText(Path.Combine(folder, name), name == "empty" ? "" : $"content of {name}");
        }

        return folder;
    }
}
