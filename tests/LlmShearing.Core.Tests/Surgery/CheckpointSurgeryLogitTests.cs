// Folders written out of core, loaded into memory: exact and padded layouts compute the reference logits.
using LlmShearing.Model;
using LlmShearing.Surgery;
using LlmShearing.Testing;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Surgery;

public class CheckpointSurgeryLogitTests
{
    public static TheoryData<string> Cases() => GoldenSurgeryTests.Cases();

    [GoldenTheory("baselines/surgery", "baselines/models/probe.safetensors")]
    [MemberData(nameof(Cases))]
    public void Apply_EveryLayout_GivesReferenceLogits(string id)
    {
        string name = GoldenSurgeryTests.Case(id)["model"]!.GetValue<string>(), source = Goldens.Path($"baselines/models/{name}");
        PruningPlan plan = GoldenSurgeryTests.Plan(GoldenSurgeryTests.Case(id)["plan"]!, LlamaConfigJson.Load(Path.Combine(source, "config.json")).Shape);
        using var probe = new GoldenTensors("baselines/models/probe.safetensors");
        using var tensors = new GoldenTensors("baselines/surgery/tensors.safetensors");
        float[] expected = tensors.Floats($"{id}.logits");
        using var folder = new TemporaryFolder();
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor ids = tensor(probe.Longs($"{name}.ids"), 2, 24);
        foreach (CheckpointLayout layout in (CheckpointLayout[])[CheckpointLayout.Exact, CheckpointLayout.Padded])
        {
            string target = folder[layout.ToString()];
            CheckpointSurgery.Apply(source, plan, target, new() { Layout = layout });
            using LlamaModel model = LlamaModel.Load(target);
            Tensor logits = model.forward(ids);
            Near.Equal(expected, logits.narrow(1, logits.shape[1] - 8, 8).contiguous().data<float>().ToArray(), 1e-4, 0, layout.ToString());
        }
    }
}
