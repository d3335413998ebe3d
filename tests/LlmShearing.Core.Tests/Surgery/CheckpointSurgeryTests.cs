using System.Collections.Immutable;
using LlmShearing.Checkpoints;
using LlmShearing.Model;
using LlmShearing.Surgery;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Surgery;

public class CheckpointSurgeryTests
{
    private const string Bias = "hf/models/llama-bias", Gqa = "hf/models/llama-gqa", Brain = "hf/models/llama-bf16", Sharded = "hf/models/llama-sharded", Windows = "hf/models/qwen2-mixed-window";

    [GoldenTheory("hf/models")]
    [InlineData("llama-bias")]
    [InlineData("llama-bf16")]
    [InlineData("llama-fp16")]
    [InlineData("llama-tied")]
    [InlineData("qwen2-mixed-window")]
    [InlineData("mistral-window")]
    [InlineData("llama-headdim")]
    public void Convert_NoOptions_GivesTheSameFileAndConfiguration(string name)
    {
        string source = Goldens.Path("hf/models/" + name);
        using var folder = new TemporaryFolder();
        CheckpointSurgery.Convert(source, folder["out"]);
        Assert.Equal(Bytes(source, "model.safetensors"), Bytes(folder["out"], "model.safetensors"));
        Assert.Equal(Bytes(source, "generation_config.json"), Bytes(folder["out"], "generation_config.json"));
        LlamaConfig a = LlamaConfigJson.Load(Path.Combine(source, "config.json")), b = LlamaConfigJson.Load(Path.Combine(folder["out"], "config.json"));
        Assert.Equal(a.SlidingWindows.IsDefault ? null : a.SlidingWindows.ToArray(), b.SlidingWindows.IsDefault ? null : b.SlidingWindows.ToArray());
        Assert.Equal(Plain(a), Plain(b));
        Assert.False(b.Source!.ContainsKey("dtype"));
    }

    [GoldenFact(Sharded)]
    public void Convert_ShardSizeOfTheOriginal_GivesTheSameShardsAndIndex()
    {
        string source = Goldens.Path(Sharded);
        using var folder = new TemporaryFolder();
        // The largest shard of the original tells its limit: 36 KB fits, and the next tensor would not.
        CheckpointSurgery.Convert(source, folder["out"], new() { MaxShardSize = 40_000 });
        foreach (string file in Directory.GetFiles(source, "model*").Select(f => Path.GetFileName(f)))
            Assert.Equal(Bytes(source, file), Bytes(folder["out"], file));
    }

    [GoldenFact(Gqa)]
    public void Convert_ToBFloat16AndBack_RoundsOnce()
    {
        using var folder = new TemporaryFolder();
        CheckpointSurgery.Convert(Goldens.Path(Gqa), folder["half"], new() { Dtype = SafetensorsDtype.BF16, MaxShardSize = 20_000 });
        CheckpointSurgery.Convert(folder["half"], folder["full"], new() { Dtype = SafetensorsDtype.F32 });
        CheckpointSurgery.Convert(folder["full"], folder["again"], new() { Dtype = SafetensorsDtype.BF16, MaxShardSize = 20_000 });
        using LlamaCheckpoint half = LlamaCheckpoint.Open(folder["half"]), again = LlamaCheckpoint.Open(folder["again"]), original = LlamaCheckpoint.Open(Goldens.Path(Gqa));
        Assert.True(half.Files.Count > 1);
        Assert.Equal("bfloat16", half.Config.StoredDtype);
        foreach (CheckpointTensor tensor in half.Tensors.Values)
        {
            Assert.Equal(half.GetSpan(tensor).ToArray(), again.GetSpan(again[tensor.Name]).ToArray());
            float[] a = new float[tensor.ElementCount], b = new float[tensor.ElementCount];
            half.ReadFloat32(tensor.Name, a);
            original.ReadFloat32(tensor.Name, b);
            Assert.All(a.Zip(b), p => Assert.Equal(p.Second, p.First, Math.Abs(p.Second) / 256 + 1e-30));
        }
    }

    [Fact]
    public void Convert_ValueTooLargeForHalf_IsRefusedByName()
    {
        using var folder = new TemporaryFolder();
        LlamaConfig config = Tiny();
        LlamaCheckpointWriter.Write(folder["big"], config, (t, sink) => sink.WriteFloat32([.. Enumerable.Repeat(t.Part == LlamaPart.Up ? 70000f : 1f, (int)t.ElementCount)]));
        CheckpointException e = Assert.Throws<CheckpointException>(() => CheckpointSurgery.Convert(folder["big"], folder["out"], new() { Dtype = SafetensorsDtype.F16 }));
        Assert.Contains("up_proj", e.Message);
        Assert.Contains("70000", e.Message);
        Assert.Single(Directory.GetFileSystemEntries(folder.Path));
    }

    [GoldenTheory(Bias, Gqa)]
    [InlineData(Bias)]
    [InlineData(Gqa)]
    public void Apply_Padded_HoldsExactlyTheKeptUnitsAndZeros(string model)
    {
        string source = Goldens.Path(model);
        PruningPlan plan = Uneven(LlamaConfigJson.Load(Path.Combine(source, "config.json")).Shape);
        using var folder = new TemporaryFolder();
        CheckpointSurgery.Apply(source, plan, folder["exact"]);
        CheckpointSurgery.Apply(source, plan, folder["padded"], new() { Layout = CheckpointLayout.Padded });
        CheckpointSurgery.Convert(folder["exact"], folder["padded2"], new() { Layout = CheckpointLayout.Padded });
        Assert.Equal(Bytes(folder["padded"], "model.safetensors"), Bytes(folder["padded2"], "model.safetensors"));
        using LlamaCheckpoint exact = LlamaCheckpoint.Open(folder["exact"]), padded = LlamaCheckpoint.Open(folder["padded"]);
        Assert.Equal(plan.Target, exact.Config.Shape);
        Assert.True(padded.Config.Shape.IsUniform);
        Assert.False(padded.Config.Source!.ContainsKey(LlamaConfigJson.ExtensionKey));

        // Cutting the filling away must give the exact model back, and all that is cut away must be zero.
        CheckpointSurgery.Apply(folder["padded"], Unpad(exact.Config.Shape, padded.Config.Shape), folder["back"]);
        Assert.Equal(Bytes(folder["exact"], "model.safetensors"), Bytes(folder["back"], "model.safetensors"));
        foreach (CheckpointTensor tensor in padded.Tensors.Values.Where(t => !t.Name.Contains("norm", StringComparison.Ordinal)))
            Assert.Equal(exact.Tensors.TryGetValue(tensor.Name, out CheckpointTensor? same) ? NonZeros(exact, same) : 0, NonZeros(padded, tensor));
    }

    [GoldenFact(Gqa)]
    public void Apply_PlainForUnevenLayers_IsRefusedWithTheFirstDifference()
    {
        string source = Goldens.Path(Gqa);
        PruningPlan plan = Uneven(LlamaConfigJson.Load(Path.Combine(source, "config.json")).Shape);
        using var folder = new TemporaryFolder();
        PlanException e = Assert.Throws<PlanException>(() => CheckpointSurgery.Apply(source, plan, folder["out"], new() { Layout = CheckpointLayout.Plain }));
        Assert.Contains("block 0", e.Message);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [GoldenFact(Windows)]
    public void Apply_DepthPlanOnMixedWindows_KeepsEveryLayersWindow()
    {
        string source = Goldens.Path(Windows);
        LlamaConfig before = LlamaConfigJson.Load(Path.Combine(source, "config.json"));
        using var folder = new TemporaryFolder();
        CheckpointSurgery.Apply(source, PruningPlan.RemoveBlocks(before.Shape, [0]), folder["a"]);
        CheckpointSurgery.Apply(source, PruningPlan.RemoveBlocks(before.Shape, [1, 2]), folder["b"]);
        LlamaConfig a = LlamaConfigJson.Load(Path.Combine(folder["a"], "config.json")), b = LlamaConfigJson.Load(Path.Combine(folder["b"], "config.json"));
        Assert.Equal(["sliding_attention", "sliding_attention"], a.Source!["layer_types"]!.AsArray().Select(t => (string)t!));
        Assert.Equal(0, (int)a.Source["max_window_layers"]!);
        Assert.Equal(6, a.SlidingWindow(1));
        Assert.Equal(["full_attention"], b.Source!["layer_types"]!.AsArray().Select(t => (string)t!));
        Assert.Null(b.SlidingWindow(0));
    }

    [GoldenFact(Brain)]
    public void Apply_PlanForAnotherModel_IsRefused()
    {
        using var folder = new TemporaryFolder();
        PlanException e = Assert.Throws<PlanException>(() => CheckpointSurgery.Apply(Goldens.Path(Brain), PruningPlan.Identity(Tiny().Shape), folder["out"]));
        Assert.Contains("vocabulary size", e.Message);
    }

    [Fact]
    public void Apply_LargeRandomPlan_EqualsElementwiseSlicing()
    {
        // Rows of 24 KB and scattered units of every kind: several tiles, long runs, short runs, single columns.
        LlamaConfig config = Tiny() with
        {
            Shape = new LlamaShape { VocabSize = 301, HiddenSize = 1500, HeadDim = 20, Layers = [new LayerShape(12, 4, 6000), new LayerShape(12, 4, 6000)], QueryKeyValueBias = true, OutputBias = true, MlpBias = true },
            StoredDtype = "bfloat16",
        };
        using var folder = new TemporaryFolder();
        WriteRandom(folder["big"], config, 1);
        var random = new Random(5);
        int[] Keep(int n, double p) => [.. Enumerable.Range(0, n).Where(i => random.NextDouble() < p || i == n - 1)];
        var plan = new PruningPlan
        {
            Source = config.Shape,
            Hidden = IndexSet.Of(Keep(1500, 0.7)),
            Layers = [new LayerPlan(0, IndexSet.Of(Keep(12, 0.6)), IndexSet.Of(Keep(6000, 0.02))), new LayerPlan(1, IndexSet.All(12), IndexSet.Of(Keep(6000, 0.9)))],
        };
        CheckpointSurgery.Apply(folder["big"], plan, folder["out"], new() { Layout = CheckpointLayout.Exact });
        CheckpointSurgery.Apply(folder["big"], plan with { Hidden = IndexSet.All(1500) }, folder["rows"], new() { Layout = CheckpointLayout.Exact });
        AssertSliced(folder["big"], plan, folder["out"]);
        AssertSliced(folder["big"], plan with { Hidden = IndexSet.All(1500) }, folder["rows"]);
    }

    internal static LlamaConfig Tiny() => new()
    {
        Shape = new LlamaShape { VocabSize = 50, HiddenSize = 16, HeadDim = 4, Layers = [.. Enumerable.Repeat(new LayerShape(4, 2, 24), 3)] },
        StoredDtype = "float32",
    };

    internal static void WriteRandom(string folder, LlamaConfig config, int seed)
    {
        var random = new Random(seed);
        LlamaCheckpointWriter.Write(folder, config, (t, sink) => sink.WriteFloat32([.. Enumerable.Range(0, (int)t.ElementCount).Select(_ => random.NextSingle() - 0.5f)]));
    }

    private static void AssertSliced(string source, PruningPlan plan, string result)
    {
        using LlamaCheckpoint before = LlamaCheckpoint.Open(source), after = LlamaCheckpoint.Open(result);
        int d = plan.Source.HeadDim;
        int[] Channels(IEnumerable<int> heads) => [.. heads.SelectMany(h => Enumerable.Range(h * d, d))];
        foreach (LlamaTensor tensor in LlamaTensorNames.Enumerate(plan.Target))
        {
            int[] hidden = [.. plan.Hidden.Indices], all = [.. Enumerable.Range(0, plan.Source.VocabSize)];
            LayerPlan? layer = tensor.Layer < 0 ? null : plan.Layers[tensor.Layer];
            int[] q = layer is null ? [] : Channels(layer.QueryHeads.Indices), kv = layer is null ? [] : Channels(plan.KeyValueHeads(tensor.Layer).Indices), ffn = layer is null ? [] : [.. layer.Intermediate.Indices];
            (int[] rows, int[] columns) = tensor.Part switch
            {
                LlamaPart.Embedding or LlamaPart.Head => (all, hidden),
                LlamaPart.Query => (q, hidden),
                LlamaPart.Key or LlamaPart.Value => (kv, hidden),
                LlamaPart.Output => (hidden, q),
                LlamaPart.Gate or LlamaPart.Up => (ffn, hidden),
                LlamaPart.Down => (hidden, ffn),
                _ => (hidden, (int[])[0]),
            };
            if (tensor.IsBias)
                columns = [0];
            CheckpointTensor from = before[LlamaTensorNames.Of(tensor.Part, layer?.SourceIndex ?? -1, tensor.IsBias)];
            float[] whole = new float[from.ElementCount], cut = new float[tensor.ElementCount];
            before.ReadFloat32(from.Name, whole);
            after.ReadFloat32(tensor.Name, cut);
            int width = from.Shape.Length == 1 ? 1 : (int)from.Shape[1];
            int i = 0;
            foreach (int r in rows)
                foreach (int c in columns)
                    if (whole[(r * width) + c] != cut[i++])
                        Assert.Fail($"{tensor.Name}: element {i - 1} differs");
            Assert.Equal(cut.Length, i);
        }
    }

    /// <summary>Different sizes everywhere: unequal groups, one block without attention, one without a feed-forward sub-block.</summary>
    private static PruningPlan Uneven(LlamaShape shape)
    {
        int heads = shape.Layers[0].QueryHeads, n = shape.Layers[0].IntermediateSize;
        return new PruningPlan
        {
            Source = shape,
            Hidden = IndexSet.Of(Enumerable.Range(0, shape.HiddenSize).Where(i => i % 5 != 2)),
            Layers =
            [
                new LayerPlan(0, IndexSet.Of([0, 1, heads - 1]), IndexSet.Of(Enumerable.Range(3, n / 2))),
                new LayerPlan(1, IndexSet.Empty, IndexSet.All(n)),
                new LayerPlan(2, IndexSet.Of([heads - 2]), IndexSet.Empty),
            ],
        };
    }

    private static PruningPlan Unpad(LlamaShape exact, LlamaShape padded)
    {
        var layers = ImmutableArray.CreateBuilder<LayerPlan>();
        for (int i = 0; i < exact.Layers.Length; i++)
        {
            LayerShape small = exact.Layers[i], large = padded.Layers[i];
            int group = large.QueryHeads / large.KeyValueHeads;
            layers.Add(new LayerPlan(i, IndexSet.Of(Enumerable.Range(0, small.KeyValueHeads).SelectMany(k => Enumerable.Range(k * group, small.GroupSize(k)))), IndexSet.All(small.IntermediateSize)));
        }

        return new PruningPlan { Source = padded, Hidden = IndexSet.All(padded.HiddenSize), Layers = layers.ToImmutable() };
    }

    private static int NonZeros(LlamaCheckpoint checkpoint, CheckpointTensor tensor)
    {
        float[] values = new float[tensor.ElementCount];
        checkpoint.ReadFloat32(tensor.Name, values);
        return values.Count(v => v != 0);
    }

    private static LlamaConfig Plain(LlamaConfig config) => config with { Source = null, SlidingWindows = default, EosTokenIds = [] };

    private static byte[] Bytes(string folder, string file) => File.ReadAllBytes(Path.Combine(folder, file));
}
