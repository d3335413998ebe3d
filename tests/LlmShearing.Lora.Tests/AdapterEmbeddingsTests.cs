// Adapters that hold embeddings beside their factors, as PEFT saves them when the vocabulary was resized.
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using LlmShearing.Checkpoints;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Lora.Tests;

public sealed class AdapterEmbeddingsTests : IDisposable
{
    private const string Embedding = "model.embed_tokens.weight", Head = "lm_head.weight";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Load_SameRows_ReplacesThemUntilDisposed(bool tied)
    {
        using LlamaModel model = TinyLlama.Create(TinyLora.Config(tied ? "tied" : "grouped"));
        string adapter = Adapter(model, model.Config.Shape.VocabSize, both: true);
        Dictionary<string, byte[]> before = TinyLora.Weights(model);
        float[] added = Stored(adapter, Embedding);
        using (LoraAttachment attachment = LoraAttachment.Load(adapter, model))
        {
            Assert.Equal(added, Weight(model, Embedding));
            Assert.All(attachment.Parameters, p => Assert.Contains(".lora_", p.Name, StringComparison.Ordinal));
            Assert.All(model.NamedWeights(), w => Assert.False(w.Weight.requires_grad));
            attachment.Save(_folder["again"]);
            Assert.Equal(added, Stored(_folder["again"], Embedding));
        }

        Assert.Equal(before, TinyLora.Weights(model));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Apply_SameRows_GivesTheBitsOfMergingInMemory(bool tied)
    {
        using LlamaModel model = TinyLlama.Create(TinyLora.Config(tied ? "tied" : "grouped"));
        string folder = TinyFolder.Write(model, _folder["model"]), adapter = Adapter(model, model.Config.Shape.VocabSize, both: true);
        LoraMerge.Apply(folder, adapter, _folder["out"]);
        using (LoraAttachment attachment = LoraAttachment.Load(adapter, model))
            attachment.Merge();
        using LlamaModel merged = LlamaModel.Load(_folder["out"]);
        Assert.Equal(TinyLora.Weights(model), TinyLora.Weights(merged));
        Assert.Equal(Stored(adapter, Embedding), Weight(merged, Embedding));
    }

    [Theory]
    [InlineData(false, 53)]
    [InlineData(true, 53)]
    [InlineData(false, 41)]
    public void Apply_ResizedVocabulary_ResizesTheModelAndTakesItsTokenizer(bool tied, int rows)
    {
        using LlamaModel model = TinyLlama.Create(TinyLora.Config(tied ? "tied" : "grouped"));
        string folder = TinyFolder.Write(model, _folder["model"]), adapter = Adapter(model, rows, both: true);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), "base");
        File.WriteAllText(Path.Combine(folder, "LICENSE"), "base");
        File.WriteAllText(Path.Combine(adapter, "tokenizer.json"), "adapter");
        File.WriteAllText(Path.Combine(adapter, "README.md"), "adapter");
        LoraMerge.Apply(folder, adapter, _folder["out"]);
        using LlamaModel merged = LlamaModel.Load(_folder["out"]);
        Assert.Equal(rows, merged.Config.Shape.VocabSize);
        Assert.Equal(Stored(adapter, Embedding), Weight(merged, Embedding));
        if (!tied)
            Assert.Equal(Stored(adapter, Head), Weight(merged, Head));
        Assert.Equal("adapter", File.ReadAllText(Path.Combine(_folder["out"], "tokenizer.json")));
        Assert.Equal("base", File.ReadAllText(Path.Combine(_folder["out"], "LICENSE")));
        Assert.False(File.Exists(Path.Combine(_folder["out"], "README.md")));
    }

    [Fact]
    public void Load_OtherRows_NamesBothSizes()
    {
        using LlamaModel model = TinyLlama.Create();
        string message = Assert.Throws<CheckpointException>(() => LoraAttachment.Load(Adapter(model, 53, both: true), model)).Message;
        Assert.Contains("has 53 rows", message, StringComparison.Ordinal);
        Assert.Contains("has 50 tokens", message, StringComparison.Ordinal);
        Assert.DoesNotContain("no place", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Apply_OnlyOneOfTwoResized_NamesBothSizes()
    {
        using LlamaModel model = TinyLlama.Create();
        string folder = TinyFolder.Write(model, _folder["model"]), adapter = Adapter(model, 53, both: false);
        string message = Assert.Throws<CheckpointException>(() => LoraMerge.Apply(folder, adapter, _folder["out"])).Message;
        Assert.Contains("has 53 rows", message, StringComparison.Ordinal);
        Assert.Contains("has 50 tokens", message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["out"]));
    }

    [Fact]
    public void Apply_TiedModelButEmbeddingsDiffer_IsRefused()
    {
        using LlamaModel model = TinyLlama.Create(TinyLora.Config("tied"));
        string folder = TinyFolder.Write(model, _folder["model"]), adapter = Adapter(model, model.Config.Shape.VocabSize, both: true, differ: true);
        Assert.Contains("ties them", Assert.Throws<CheckpointException>(() => LoraMerge.Apply(folder, adapter, _folder["out"])).Message, StringComparison.Ordinal);
    }

    // An adapter with random embeddings of so many rows beside its factors. A tied model has the same values in both.
    private string Adapter(LlamaModel model, int rows, bool both, bool differ = false)
    {
        string folder = _folder["adapter"], file = Path.Combine(folder, "adapter_model.safetensors");
        using (LoraAttachment attachment = TinyLora.Attach(model))
            attachment.Save(folder);
        LlamaShape shape = model.Config.Shape;
        var random = new Random(7);
        float[] Values() => [.. Enumerable.Range(0, rows * shape.HiddenSize).Select(_ => (float)random.NextDouble())];
        float[] embedding = Values(), head = shape.TiedEmbeddings && !differ ? embedding : Values();
        var extra = new List<(string, SafetensorsDtype, ImmutableArray<long>, ReadOnlyMemory<byte>)>();
        foreach ((string name, float[] values) in both ? [(Embedding, embedding), (Head, head)] : new[] { (Embedding, embedding) })
            extra.Add(("base_model.model." + name, SafetensorsDtype.F32, [rows, shape.HiddenSize], MemoryMarshal.AsBytes<float>(values).ToArray()));
        using (SafetensorsReader reader = SafetensorsReader.Open(file))
            SafetensorsWriter.WriteAll(file + ".new", [.. reader.Tensors.Select(t => (t.Name, t.Dtype, t.Shape, (ReadOnlyMemory<byte>)reader.GetSpan(t).ToArray())), .. extra]);
        File.Move(file + ".new", file, overwrite: true);
        return folder;
    }

    private static float[] Stored(string adapter, string name)
    {
        using SafetensorsReader reader = SafetensorsReader.Open(Path.Combine(adapter, "adapter_model.safetensors"));
        return MemoryMarshal.Cast<byte, float>(reader.GetSpan(reader["base_model.model." + name])).ToArray();
    }

    private static float[] Weight(LlamaModel model, string name) => TinyLora.Values(model.NamedWeights().Single(w => w.Name == name).Weight.detach());
}
