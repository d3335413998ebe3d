// What holds for any model and any adapter.
using LlmShearing.Model;
using LlmShearing.Testing;
using LlmShearing.Training;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Lora.Tests;

public class LoraAttachmentTests
{
    public static TheoryData<string> Kinds => TinyLora.Kinds;

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Attach_Fresh_LogitsAreTheSameBits(string kind)
    {
        using LlamaModel model = TinyLlama.Create(TinyLora.Config(kind));
        float[] before = TinyLora.Logits(model);
        using LoraAttachment attachment = new LoraAdapter().Attach(model);
        Assert.Equal(before, TinyLora.Logits(model));
        Assert.Equal(42, attachment.Parameters.Count);                           // 21 projections; "uneven" has a block without either sub-block, and one more block
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Merge_AnyShape_EqualsAttached(string kind)
    {
        using LlamaModel model = TinyLlama.Create(TinyLora.Config(kind));
        using LoraAttachment attachment = TinyLora.Attach(model, new LoraOptions { Rank = 3, Alpha = 5, ModulesToSave = kind == "tied" ? ["norm"] : ["lm_head", "norm"] });
        float[] attached = TinyLora.Logits(model);
        attachment.Merge();
        Near.Equal(attached, TinyLora.Logits(model), 1e-5, 1e-5, kind);
        attachment.Dispose();
        Near.Equal(attached, TinyLora.Logits(model), 1e-5, 1e-5, kind);
    }

    [Fact]
    public void Dispose_AfterTraining_ModelIsAsItWas()
    {
        using LlamaModel model = TinyLlama.Create();
        model.norm.weight.requires_grad = true;
        Dictionary<string, byte[]> weights = TinyLora.Weights(model);
        float[] before = TinyLora.Logits(model);
        bool[] required = [.. model.NamedWeights().Select(w => w.Weight.requires_grad)];
        using (LoraAttachment attachment = TinyLora.Attach(model, new LoraOptions { ModulesToSave = ["lm_head", "input_layernorm"] }))
        {
            Assert.NotEqual(before, TinyLora.Logits(model));
            Assert.Equal(
                ["lm_head.weight", "model.layers.0.input_layernorm.weight", "model.layers.1.input_layernorm.weight", "model.layers.2.input_layernorm.weight"],
                model.NamedWeights().Where(w => w.Weight.requires_grad).Select(w => w.Name).Order(StringComparer.Ordinal));
        }

        Assert.Equal(required, model.NamedWeights().Select(w => w.Weight.requires_grad));
        Assert.Equal(weights, TinyLora.Weights(model));
        Assert.Equal(before, TinyLora.Logits(model));
        model.layers[0].self_attn!.q_proj.Attach(new LoraProbe()).Dispose();
    }

    [Fact]
    public void Attach_ProjectionHasTap_NothingIsLeftAttached()
    {
        using LlamaModel model = TinyLlama.Create();
        using IDisposable tap = model.layers[2].mlp!.down_proj.Attach(new LoraProbe());
        Assert.Throws<InvalidOperationException>(() => new LoraAdapter().Attach(model));
        model.layers[0].self_attn!.q_proj.Attach(new LoraProbe()).Dispose();
        Assert.All(model.NamedWeights(), w => Assert.False(w.Weight.requires_grad));
    }

    [Fact]
    public void Attach_Kaiming_FactorsAreUniformWithinTheBound()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(hidden: 64, queryHeads: 8, headDim: 8));
        using LoraAttachment attachment = new LoraAdapter(new LoraOptions { Rank = 32, Seed = 7 }).Attach(model);
        float[] a = TinyLora.Values(attachment.Parameters[0].Value), other = TinyLora.Values(attachment.Parameters[2].Value);
        double bound = 1 / Math.Sqrt(64);
        Assert.All(a, v => Assert.InRange(Math.Abs(v), 0, bound));
        Assert.InRange(a.Max(), 0.98 * bound, bound);
        Assert.InRange(a.Average(v => (double)v * v), 0.9 * bound * bound / 3, 1.1 * bound * bound / 3);
        Assert.NotEqual(a[0], other[0]);
        Assert.All(attachment.Parameters.Where(p => p.Name.Contains("lora_B", StringComparison.Ordinal)), p => Assert.All(TinyLora.Values(p.Value), v => Assert.Equal(0, v)));
        using LlamaModel second = TinyLlama.Create(TinyLlama.Config(hidden: 64, queryHeads: 8, headDim: 8), seed: 5);
        using LoraAttachment again = new LoraAdapter(new LoraOptions { Rank = 32, Seed = 7 }).Attach(second);
        Assert.Equal(a, TinyLora.Values(again.Parameters[0].Value));
        using LlamaModel third = TinyLlama.Create(TinyLlama.Config(hidden: 64, queryHeads: 8, headDim: 8));
        using LoraAttachment gaussian = new LoraAdapter(new LoraOptions { Rank = 32, Init = LoraInit.Gaussian }).Attach(third);
        Assert.InRange(TinyLora.Values(gaussian.Parameters[0].Value).Average(v => (double)v * v), 0.85 / 1024, 1.15 / 1024);
    }

    [Fact]
    public void Merge_InfiniteFactor_ThrowsAndChangesNothing()
    {
        using LlamaModel model = TinyLlama.Create();
        using LoraAttachment attachment = TinyLora.Attach(model);
        using (no_grad())
            attachment.Parameters[^1].Value.fill_(float.PositiveInfinity);
        Dictionary<string, byte[]> weights = TinyLora.Weights(model);
        LoraException error = Assert.Throws<LoraException>(() => attachment.Merge());
        Assert.Contains("model.layers.2.mlp.down_proj.weight", error.Message, StringComparison.Ordinal);
        Assert.Equal(weights, TinyLora.Weights(model));
        Assert.False(attachment.IsMerged);
    }

    [Fact]
    public void Merge_Twice_Throws()
    {
        using LlamaModel model = TinyLlama.Create();
        using LoraAttachment attachment = TinyLora.Attach(model);
        attachment.Merge();
        Assert.Throws<InvalidOperationException>(() => attachment.Merge());
        Assert.Throws<TrainingException>(() => new LoraTrainable(attachment).Groups(new OptimizerSettings()));
    }

    [Fact]
    public void Forward_BFloat16BaseWithoutGraph_DeltaIsAddedInFloat32AndRoundedOnce()
    {
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(), dtype: ScalarType.BFloat16);
        using LoraAttachment attachment = TinyLora.Attach(model);
        Assert.All(attachment.Parameters, p => Assert.Equal(ScalarType.Float32, p.Value.dtype));
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Projection projection = model.layers[0].self_attn!.q_proj;
        Tensor x = TinyLlama.Ids(TinyLlama.Batch(1, 2, 8)).to(ScalarType.BFloat16).div_(50);                                  // [2, 8]
        x = x.view(1, 1, 16);
        Tensor expected = (nn.functional.linear(x, projection.weight).to(ScalarType.Float32)
            + nn.functional.linear(nn.functional.linear(x.to(ScalarType.Float32), attachment.Parameters[0].Value), attachment.Parameters[1].Value).mul(2)).to(ScalarType.BFloat16);
        Tensor actual = projection.forward(x);
        Assert.Equal(ScalarType.BFloat16, actual.dtype);
        Assert.Equal(TinyLora.Values(expected), TinyLora.Values(actual));
    }

    private sealed class LoraProbe : IProjectionTap
    {
        public Tensor? OnForward(Tensor input) => null;
    }

    [Fact]
    public void DisposedModel_IsToldAsSuch_AndAttachmentsCanStillGo()
    {
        string folder = Directory.CreateTempSubdirectory("lora").FullName;
        try
        {
            LlamaModel model = TinyLlama.Create();
            LoraAttachment attachment = new LoraAdapter().Attach(model);
            attachment.Save(Path.Combine(folder, "adapter"));
            model.Dispose();
            Assert.Throws<ObjectDisposedException>(() => new LoraAdapter().Attach(model));
            Assert.Throws<ObjectDisposedException>(() => LoraAttachment.Load(Path.Combine(folder, "adapter"), model));
            Assert.Throws<ObjectDisposedException>(() => attachment.Merge());
            Assert.Throws<ObjectDisposedException>(() => new TrainingStep(new LoraTrainable(attachment), new TrainingStepOptions()));
            attachment.Dispose();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
