// Dropout derives from the micro-batch's key and the projection, and acts within a micro-batch of training only.
using LlmShearing.Testing;
using LlmShearing.Training.Steps;
using TorchSharp;
using static TorchSharp.torch;

namespace LlmShearing.Lora.Tests;

public class LoraDropoutTests
{
    private static readonly MicroBatchKey Key = new(3, 1, 42);

    [Fact]
    public void Forward_SameKey_SameBits_OtherKeysDiffer()
    {
        using LlamaModel model = TinyLlama.Create();
        using LoraAttachment attachment = TinyLora.Attach(model, new LoraOptions { Dropout = 0.3 });
        var trainable = new LoraTrainable(attachment);
        float[] plain = TinyLora.Logits(model), first = At(Key);
        Assert.Equal(first, At(Key));
        Assert.NotEqual(plain, first);
        foreach (MicroBatchKey other in new[] { Key with { Step = 4 }, Key with { MicroBatch = 0 }, Key with { Seed = 41 } })
            Assert.NotEqual(first, At(other));
        Assert.Equal(plain, TinyLora.Logits(model));

        float[] At(MicroBatchKey key)
        {
            trainable.BeginMicroBatch(key);
            float[] logits = TinyLora.Logits(model);
            trainable.EndMicroBatch(key, 1);
            return logits;
        }
    }

    [Fact]
    public void BeginEvaluation_InsideMicroBatch_SwitchesDropoutOff()
    {
        using LlamaModel model = TinyLlama.Create();
        using LoraAttachment attachment = TinyLora.Attach(model, new LoraOptions { Dropout = 0.3 });
        var trainable = new LoraTrainable(attachment);
        float[] plain = TinyLora.Logits(model);
        trainable.BeginMicroBatch(Key);
        float[] dropped = TinyLora.Logits(model);
        using (trainable.BeginEvaluation())
            Assert.Equal(plain, TinyLora.Logits(model));
        Assert.Equal(dropped, TinyLora.Logits(model));
    }

    [Fact]
    public void BeginMicroBatch_InsideEvaluation_DoesNotSwitchDropoutOn()
    {
        using LlamaModel model = TinyLlama.Create();
        using LoraAttachment attachment = TinyLora.Attach(model, new LoraOptions { Dropout = 0.3 });
        var trainable = new LoraTrainable(attachment);
        float[] plain = TinyLora.Logits(model);
        using (trainable.BeginEvaluation())
        {
            trainable.BeginMicroBatch(Key);
            Assert.Equal(plain, TinyLora.Logits(model));
        }

        Assert.Equal(plain, TinyLora.Logits(model));
    }

    [Fact]
    public void Apply_ManyElements_DropsTheShareAndKeepsTheMean()
    {
        using var scope = NewDisposeScope();
        var dropout = new LoraDropout(0.25);
        Tensor x = ones(1000, 100);
        Assert.Equal(x.data<float>().ToArray(), dropout.Apply(x, 0).data<float>().ToArray());
        dropout.Begin(Key);
        float[] first = TinyLora.Values(dropout.Apply(x, 0)), second = TinyLora.Values(dropout.Apply(x, 1));
        Assert.All(first, v => Assert.True(v == 0 || Math.Abs(v - (1 / 0.75)) < 1e-6));
        Assert.InRange(first.Count(v => v == 0) / 1e5, 0.245, 0.255);
        int both = first.Zip(second).Count(p => p.First == 0 && p.Second == 0);
        Assert.InRange(both / 1e5, 0.0575, 0.0675);                              // independent: 0.25²
        dropout.End();
        Assert.Equal(1, TinyLora.Values(dropout.Apply(x, 0)).Min());
    }

    [Fact]
    public void Backward_DroppedElements_GetNoGradient()
    {
        using var scope = NewDisposeScope();
        var dropout = new LoraDropout(0.5);
        dropout.Begin(Key);
        Tensor x = ones(20, 10).requires_grad_();
        Tensor y = dropout.Apply(x, 5);
        y.sum().backward();
        Assert.Equal(TinyLora.Values(y), TinyLora.Values(x.grad!));
        Assert.Contains(0f, TinyLora.Values(y));
    }
}
