// Which files are taken for the weights, and what is said of files that cannot be.
using LlmShearing.Checkpoints;
using LlmShearing.Model;
using LlmShearing.Surgery;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Checkpoints;

public sealed class WeightFilesTests : IDisposable
{
    private const string Pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4966184\n";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_OnlySafetensorsFileUnderAnotherName_IsTaken()
    {
        string folder = Model();
        File.Move(Path.Combine(folder, "model.safetensors"), Path.Combine(folder, "weights-final.safetensors"));
        using (LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(folder))
            Assert.EndsWith("weights-final.safetensors", Assert.Single(checkpoint.Files), StringComparison.Ordinal);
        // It is the model's own, so that it does not travel a second time.
        var warnings = new WarningList();
        CheckpointSurgery.Convert(folder, _folder["out"], new() { Logger = warnings });
        Assert.Empty(warnings);
        Assert.False(File.Exists(Path.Combine(_folder["out"], "weights-final.safetensors")));
    }

    [Theory]
    [InlineData("a.safetensors", "b.safetensors")]
    [InlineData("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")]
    [InlineData("pytorch_model-00001-of-00002.bin", "pickled")]
    [InlineData("model-q4.gguf", "formats that are not read here")]
    [InlineData("adapter_model.safetensors", "names")]
    public void Open_OtherFiles_AreNamed(string first, string second)
    {
        string folder = Model(), weights = Path.Combine(folder, "model.safetensors");
        File.Copy(weights, Path.Combine(folder, first));
        if (second.EndsWith(".safetensors", StringComparison.Ordinal))
            File.Copy(weights, Path.Combine(folder, second));
        File.Delete(weights);
        string message = Assert.Throws<CheckpointException>(() => LlamaCheckpoint.Open(folder)).Message;
        Assert.Contains(first, message, StringComparison.Ordinal);
        Assert.Contains(second, message, StringComparison.Ordinal);
        Assert.DoesNotContain("has no weights", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("config.json")]
    [InlineData("generation_config.json")]
    public void Open_GitLfsPointer_SaysSo(string file)
    {
        string folder = Model();
        File.WriteAllText(Path.Combine(folder, file), Pointer);
        string message = Assert.ThrowsAny<CheckpointException>(() =>
        {
            LlamaCheckpoint.Open(folder).Dispose();
            GenerationConfig.Load(folder);
        }).Message;
        Assert.Contains(file, message, StringComparison.Ordinal);
        Assert.Contains("Git LFS pointer", message, StringComparison.Ordinal);
        Assert.Contains("4966184 bytes", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_IndexAsGitLfsPointer_SaysSo()
    {
        string folder = Model();
        File.Delete(Path.Combine(folder, "model.safetensors"));
        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), Pointer);
        Assert.Contains("Git LFS pointer", Assert.Throws<CheckpointException>(() => LlamaCheckpoint.Open(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_PlanAsGitLfsPointer_SaysSo() =>
        Assert.Contains("Git LFS pointer", Assert.ThrowsAny<ShearingException>(() => PruningPlan.Load(_folder.File("plan.json", System.Text.Encoding.ASCII.GetBytes(Pointer)))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("torch_dtype")]
    [InlineData("dtype")]
    public void Convert_Float64_KeepsItsType(string key)
    {
        string folder = Model(), config = Path.Combine(folder, "config.json"), weights = Path.Combine(folder, "model.safetensors");
        byte[] wide(ReadOnlySpan<byte> bytes) => System.Runtime.InteropServices.MemoryMarshal.AsBytes<double>(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).ToArray().Select(v => (double)v).ToArray()).ToArray();
        using (SafetensorsReader reader = SafetensorsReader.Open(weights))
            SafetensorsWriter.WriteAll(weights + ".new", [.. reader.Tensors.Select(t => (t.Name, SafetensorsDtype.F64, t.Shape, (ReadOnlyMemory<byte>)wide(reader.GetSpan(t))))]);
        File.Move(weights + ".new", weights, overwrite: true);
        var json = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(config))!.AsObject();
        json.Remove("torch_dtype");
        json[key] = "float64";
        File.WriteAllText(config, json.ToJsonString());
        Assert.Equal("float64", CheckpointSurgery.Convert(folder, _folder["out"]).StoredDtype);
        Assert.Equal(File.ReadAllBytes(weights), File.ReadAllBytes(Path.Combine(_folder["out"], "model.safetensors")));
        using LlamaModel model = LlamaModel.Load(folder);
        model.Save(_folder["saved"]);
        Assert.Equal(File.ReadAllBytes(weights), File.ReadAllBytes(Path.Combine(_folder["saved"], "model.safetensors")));
    }

    private string Model()
    {
        using LlamaModel model = TinyLlama.Create();
        return TinyFolder.Write(model, _folder["model"]);
    }
}
