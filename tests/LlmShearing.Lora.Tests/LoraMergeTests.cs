// Merging folders out of core gives the bits of merging in memory.
using System.Collections.Immutable;
using LlmShearing.Checkpoints;
using LlmShearing.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Lora.Tests;

public sealed class LoraMergeTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("merge").FullName;

    [Theory]
    [InlineData("grouped", ScalarType.Float32, false)]
    [InlineData("uneven", ScalarType.Float32, true)]
    [InlineData("tied", ScalarType.BFloat16, false)]
    [InlineData("biased", ScalarType.BFloat16, true)]
    [InlineData("uneven", ScalarType.Float16, false)]
    public void Apply_AnyShapeAndType_EqualsMergeInMemoryBitForBit(string kind, ScalarType dtype, bool safe)
    {
        string source = At("base"), adapter = At("adapter"), target = At("merged");
        using (LlamaModel model = TinyLlama.Create(TinyLora.Config(kind), dtype: dtype))
        {
            model.Save(source, dtype, new LlamaCheckpointWriterOptions { MaxShardSize = 4000 });
            File.WriteAllText(Path.Combine(source, "tokenizer_config.json"), "{}");
            using LoraAttachment attachment = TinyLora.Attach(model, new LoraOptions { ModulesToSave = kind == "tied" ? ["norm"] : ["lm_head", "embed_tokens"] });
            attachment.Save(adapter);
            attachment.Merge(safe);
            var reports = new List<ShearingProgress>();
            LoraMerge.Apply(source, adapter, target, new LoraMergeOptions { Safe = safe, MaxShardSize = 5000 }, new Direct(reports.Add));
            Assert.Equal(reports[^1].Total, reports[^1].Completed);
            using LlamaModel merged = LlamaModel.Load(target, dtype);
            Assert.Equal(TinyLora.Weights(model), TinyLora.Weights(merged));
        }

        Assert.True(File.Exists(Path.Combine(target, "tokenizer_config.json")));
        Assert.True(Directory.GetFiles(target, "*.safetensors").Length > 1);
    }

    [GoldenTheory("hf/lora/merge-bf16")]
    [InlineData(false, "merged.")]
    [InlineData(true, "safe_merged.")]
    public void Apply_PeftAdapterOnBFloat16_EveryBitAgrees(bool safe, string prefix)
    {
        var golden = new LoraCase("merge-bf16");
        using GoldenTensors reference = golden.Reference();
        LoraMerge.Apply(golden.BaseFolder, golden.Folder, At("merged"), new LoraMergeOptions { Safe = safe });
        using LlamaCheckpoint before = LlamaCheckpoint.Open(golden.BaseFolder), merged = LlamaCheckpoint.Open(At("merged"));
        int changed = 0;
        foreach (CheckpointTensor tensor in merged.Tensors.Values)
        {
            Assert.Equal(SafetensorsDtype.BF16, tensor.Dtype);
            var values = new float[tensor.ElementCount];
            merged.ReadFloat32(tensor.Name, values);
            if (!reference.Has(prefix + tensor.Name))
            {
                Assert.Equal(before.GetSpan(before[tensor.Name]), merged.GetSpan(tensor));
                continue;
            }

            Assert.Equal(reference.BFloats(prefix + tensor.Name), values);
            changed++;
        }

        Assert.Equal(6, changed);
    }

    [Fact]
    public void Apply_TensorOfManyTiles_EqualsMergeInMemory()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 1, hidden: 256, queryHeads: 1, keyValueHeads: 1, headDim: 4, intermediate: 40000, vocabulary: 8));
        model.Save(At("base"), ScalarType.Float32);
        using LoraAttachment attachment = TinyLora.Attach(model, new LoraOptions { TargetModules = ["gate_proj", "down_proj"] });
        attachment.Save(At("adapter"));
        Assert.True(LoraArithmetic.TileRows(256) < 40000);
        attachment.Merge();
        LoraMerge.Apply(At("base"), At("adapter"), At("merged"));
        using LlamaModel merged = LlamaModel.Load(At("merged"));
        Assert.Equal(TinyLora.Weights(model), TinyLora.Weights(merged));
    }

    [Fact]
    public void Apply_NotFiniteOrCancelledOrOtherBase_NothingIsLeft()
    {
        using (LlamaModel model = TinyLlama.Create())
        {
            model.Save(At("base"));
            using LoraAttachment attachment = TinyLora.Attach(model);
            attachment.Save(At("adapter"));
            using (no_grad())
                attachment.Parameters[3].Value.fill_(float.NaN);
            attachment.Save(At("nan"));
        }

        using (LlamaModel other = TinyLlama.Create(TinyLlama.Config(intermediate: 20)))
            other.Save(At("other"));
        string[] before = [.. Directory.GetFileSystemEntries(_root).Order(StringComparer.Ordinal)];
        LoraException error = Assert.Throws<LoraException>(() => LoraMerge.Apply(At("base"), At("nan"), At("merged")));
        Assert.Contains("model.layers.0.self_attn.k_proj.weight", error.Message, StringComparison.Ordinal);
        Assert.Throws<CheckpointException>(() => LoraMerge.Apply(At("other"), At("adapter"), At("merged")));
        Assert.Throws<CheckpointException>(() => LoraMerge.Apply(At("base"), At("adapter"), At("base"), new LoraMergeOptions { Overwrite = true }));
        Assert.Throws<CheckpointException>(() => LoraMerge.Apply(At("base"), At("adapter"), Path.Combine(At("adapter"), "merged")));
        using var cancel = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => LoraMerge.Apply(At("base"), At("adapter"), At("merged"), progress: new Direct(_ => cancel.Cancel()), cancellationToken: cancel.Token));
        Assert.Equal(before, Directory.GetFileSystemEntries(_root).Order(StringComparer.Ordinal));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private string At(string name) => Path.Combine(_root, name);

    private sealed class Direct(Action<ShearingProgress> report) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value) => report(value);
    }
}
