// Every model of the reference set: logits, hidden states, losses and gradients as transformers computes them.
using LlmShearing.Execution;
using LlmShearing.Model;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Model;

public class ModelGoldenTests
{
    public static TheoryData<string, string> Cases()
    {
        var data = new TheoryData<string, string>();
        if (Goldens.TryPath("hf/models") is not { } root)
            return data;
        foreach (string folder in Directory.GetDirectories(root).Order(StringComparer.Ordinal))
            foreach (string file in Directory.GetFiles(folder, "reference*.safetensors").Order(StringComparer.Ordinal))
                data.Add(Path.GetFileName(folder), Path.GetFileName(file));
        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_ReferenceInput_MatchesTransformers(string model, string file)
    {
        using var golden = new GoldenTensors($"hf/models/{model}/{file}");
        using LlamaModel llama = LlamaModel.Load(Goldens.Path($"hf/models/{model}"));
        bool offset = file.Contains("offset", StringComparison.Ordinal);
        double atol = offset ? 2e-3 : 1e-4;
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        long[] shape = golden.Shape("input_ids");
        (int b, int t) = ((int)shape[0], (int)shape[1]);
        bool[]? mask = golden.Has("attention_mask") ? [.. golden.Longs("attention_mask").Select(v => v == 1)] : null;
        ForwardOptions options = Options(golden, mask, model);
        int v = llama.Config.Shape.VocabSize, h = llama.Config.Shape.HiddenSize;
        Func<int, bool> Real(int width) => i => mask is null || mask[i / width];

        Tensor ids = tensor(golden.Longs("input_ids"), b, t);
        LlamaPass pass = LlamaPass.Begin(llama.Config, b, t, options, llama.Dtype, llama.Device);
        Tensor x = llama.Embed(ids, pass);
        Near.Equal(golden.Floats("hidden.0"), Values(x), 0, 0, "hidden.0", Real(h));
        for (int i = 0; i < llama.Config.Shape.Layers.Length; i++)
        {
            x = llama.layers[i].forward(x, pass);
            Near.Equal(golden.Floats($"hidden.{i + 1}"), Values(x), atol, 1e-4, $"hidden.{i + 1}", Real(h));
        }

        Tensor normed = llama.FinalNorm(x, pass);
        Near.Equal(golden.Floats("final_norm"), Values(normed), atol, 1e-4, "final_norm", Real(h));
        Near.Equal(golden.Floats("logits"), Values(llama.Logits(normed)), atol, 1e-4, "logits", Real(v));
        Near.Equal(golden.Floats("logits"), Values(llama.forward(ids, options)), atol, 1e-4, "forward", Real(v));

        long[] labels = golden.Longs("labels");
        long[] targets = [.. Enumerable.Range(0, b * t).Where(i => i % t > 0).Select(i => Math.Max(labels[i], 0))];
        Tensor states = normed.narrow(1, 0, t - 1).reshape(-1, h);
        Near.Equal(golden.Floats("token_nll"), Values(TokenLosses.Compute(llama, states, tensor(targets))), 1e-4, 0, "token_nll",
            i => labels[(i / (t - 1) * t) + (i % (t - 1)) + 1] >= 0);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void InverseFrequencies_ReferenceInput_MatchTransformers(string model, string file)
    {
        using var golden = new GoldenTensors($"hf/models/{model}/{file}");
        LlamaConfig config = LlamaConfigJson.Load(Goldens.Path($"hf/models/{model}/config.json"));
        long length = golden.Has("position_ids") ? golden.Longs("position_ids").Max() + 1 : golden.Shape("input_ids")[1];
        Near.Equal(golden.Floats("rope.inv_freq"), RotaryEmbedding.InverseFrequencies(config, length), 0, 1e-6, "inv_freq");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Backward_ReferenceInput_MatchesTransformers(string model, string file)
    {
        using var golden = new GoldenTensors($"hf/models/{model}/{file}");
        string[] gradients = [.. golden.Names.Where(n => n.StartsWith("grad.", StringComparison.Ordinal))];
        if (gradients.Length == 0)
            return;   // the reference stores gradients for some inputs only; the forward test covers the others
        using LlamaModel llama = LlamaModel.Load(Goldens.Path($"hf/models/{model}"));
        using var scope = NewDisposeScope();
        foreach ((_, var weight) in llama.NamedWeights())
            weight.requires_grad = true;
        long[] shape = golden.Shape("input_ids");
        bool[]? mask = golden.Has("attention_mask") ? [.. golden.Longs("attention_mask").Select(v => v == 1)] : null;
        Tensor logits = llama.forward(tensor(golden.Longs("input_ids"), shape[0], shape[1]), Options(golden, mask, model));
        Tensor labels = tensor(golden.Longs("labels"), shape[0], shape[1]).narrow(1, 1, shape[1] - 1).reshape(-1);
        Tensor flat = logits.narrow(1, 0, shape[1] - 1).reshape(-1, logits.shape[2]);
        Tensor loss = nn.functional.cross_entropy(flat, labels);
        Near.Equal(golden.Floats("loss")[0], loss.item<float>(), 1e-4);
        loss.backward();
        var weights = llama.NamedWeights().ToDictionary(p => p.Name, p => p.Weight);
        Assert.Equal(weights.Count, gradients.Length);
        foreach (string name in gradients)
        {
            float[] expected = golden.Floats(name);
            Near.Equal(expected, Values(weights[name["grad.".Length..]].grad!), (1e-4 * expected.Max(Math.Abs)) + 1e-7, 0, name);
        }
    }

    private static ForwardOptions Options(GoldenTensors golden, bool[]? mask, string model)
    {
        bool packed = model.Contains("packed", StringComparison.Ordinal);
        return new ForwardOptions
        {
            AttentionMask = mask is not null && mask.All(m => m) ? null : mask,
            Positions = golden.Has("position_ids") ? golden.Longs("position_ids") : null,
            Packed = packed,
        };
    }

    private static float[] Values(Tensor t) => t.to(ScalarType.Float32).contiguous().data<float>().ToArray();
}
