// The trained map between hidden states: CoFi's reference, autograd, and a run that keeps it in its checkpoints.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Testing.Training;
using LlmShearing.Training.Distillation;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;
using static TorchSharp.torch;

namespace LlmShearing.Training.Tests.Distillation;

public class StateMapTests
{
    private const string Root = "baselines/cofi";
    private static readonly int[] TeacherLayers = [2, 5, 8, 11];

    private static readonly Lazy<JsonNode[]> WithGradients = new(() =>
    {
        using var tensors = new GoldenTensors(Root + "/tensors.safetensors");
        return [.. JsonNode.Parse(File.ReadAllText(Goldens.Path(Root + "/cases.json")))!["distillation"]!.AsArray().Where(c => tensors.Has($"grad.{c!["id"]}.transformation.weight"))!];
    });

    public static TheoryData<string> Cases => [.. WithGradients.Value.Select(c => (string)c["id"]!)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Backward_ReferenceCase_GradientsAgree(string id)
    {
        JsonNode golden = WithGradients.Value.Single(c => (string)c["id"]! == id);
        using var tensors = new GoldenTensors(Root + "/tensors.safetensors");
        using var scope = NewDisposeScope();
        using var map = new StateMap(16);
        if ((string)golden["layer_transformation"]! == "linear")
            using (no_grad())
            {
                map.Parameters[0].Value.copy_(tensor(tensors.Floats("layer_transformation.weight"), 16, 16));
                map.Parameters[1].Value.copy_(tensor(tensors.Floats("layer_transformation.bias")));
            }

        Tensor student = tensor(tensors.Floats("student_states"), 13, 10, 16), teacher = tensor(tensors.Floats("teacher_states"), 13, 10, 16);   // [layer, B * S, h]
        double loss = 0, weight = (double)golden["distill_loss_alpha"]!;
        float[] sums = new float[13 * 16];
        int[] alignment = [.. golden["alignment"]!.AsArray().Select(n => (int)n!)];
        for (int t = 0; t < 4; t++)
        {
            Tensor state = student[alignment[t] + 1];
            (Tensor losses, Tensor gradient) = StateLoss.Compute(map.Apply(state), teacher[TeacherLayers[t] + 1], StateDistance.MeanSquare);
            loss += losses.mean().item<float>();
            float[] back = map.Backward(state, gradient.mul(weight / 10)).sum(dim: 0).data<float>().ToArray();
            for (int i = 0; i < 16; i++)
                sums[((alignment[t] + 1) * 16) + i] += back[i];
        }

        Near.Equal((double)golden["layer_loss"]!, loss, 1e-6, 1e-5, "layer loss");
        Near.Equal(tensors.Floats($"grad.{id}.transformation.weight"), map.Parameters[0].Value.grad!.data<float>().ToArray(), 1e-6, 1e-5, "map");
        Near.Equal(tensors.Floats($"grad.{id}.student_states_sum_over_batch_seq"), sums, 2e-6, 1e-5, "states");
    }

    [Theory]
    [InlineData(StateDistance.MeanSquare)]
    [InlineData(StateDistance.Cosine)]
    public void Compute_NarrowerStudent_EqualsAutograd(StateDistance distance)
    {
        using LlamaModel teacher = TinyLlama.Create(TinyLlama.Config(layers: 3), 1), student = TinyLlama.Create(TinyLlama.Config(hidden: 12), 2);
        using var full = new FullModel(student);
        using var map = new StateMap(16, IndexSet.Of(Enumerable.Range(2, 12)));
        var options = new DistillationOptions { LmWeight = 0.5, LogitWeight = 0, StateWeight = 2, States = distance, Blocks = [new(0, 1), new(1, 2)] };
        var batch = new TrainingBatch(TinyLlama.Batch(1, 2, 8));
        using var scope = NewDisposeScope();
        (long[] positions, long[] targets) = batch.Scored();
        (_, Tensor[] goals) = Plain.Run(teacher, batch, tensor(positions));
        (Tensor logits, Tensor[] states) = Plain.Run(student, batch, tensor(positions));
        Tensor weight = map.Parameters[0].Value.detach().clone().requires_grad_(), bias = map.Parameters[1].Value.detach().clone().requires_grad_();
        Assert.Equal(1f, weight[2, 0].item<float>());
        Tensor Distance(int s, int t)
        {
            Tensor mapped = states[s].matmul(weight.t()) + bias, goal = goals[t].detach();
            return distance == StateDistance.MeanSquare
                ? (mapped - goal).square().mean()
                : (1 - ((mapped * goal).sum(-1) / (mapped.square().sum(-1).sqrt() * goal.square().sum(-1).sqrt()))).mean();
        }

        Tensor lm = logits.log_softmax(-1).gather(1, tensor(targets).unsqueeze(1)).mean().neg(), hidden = (Distance(0, 1) + Distance(1, 2)) / 2;
        ((lm * 0.5) + (hidden * 2)).backward();
        Dictionary<string, float[]> expected = PlainStep.Take(student);

        StepLosses losses = new TrainingStep(full, new TrainingStepOptions(), new DistillationObjective(teacher, options, map)).Compute([batch], 0, 0);
        Near.Equal(hidden.item<float>(), losses.Parts["hidden"], 1e-6, 1e-5, "hidden");
        Dictionary<string, float[]> actual = PlainStep.Take(student);
        foreach ((string name, float[] gradient) in expected)
            Near.Equal(gradient, actual[name], 1e-4 * gradient.Max(Math.Abs), what: name);
        Near.Equal(weight.grad!.data<float>().ToArray(), map.Parameters[0].Value.grad!.data<float>().ToArray(), 1e-6, 1e-4, "map");
        Near.Equal(bias.grad!.data<float>().ToArray(), map.Parameters[1].Value.grad!.data<float>().ToArray(), 1e-6, 1e-4, "bias");
    }

    [Fact]
    public void Run_WithAMap_TrainsItAndResumesBitForBit()
    {
        using LlamaModel teacher = TinyLlama.Create(TinyLlama.Config(layers: 2), 9);
        var options = new DistillationOptions { StateWeight = 1, Blocks = [new(1, 1)] };
        var maps = new List<StateMap>();
        ITrainingObjective Objective()
        {
            maps.Add(new StateMap(16));
            return new DistillationObjective(teacher, options, maps[^1]);
        }

        using RunBench whole = new() { Objective = Objective }, halves = new() { Objective = Objective };
        Assert.Equal(TrainingStop.Completed, whole.Start().Stop);
        halves.StopAfter(4);
        Assert.Equal(TrainingStop.Completed, halves.Start().Stop);
        halves.AssertEquals(whole, 7);
        float[] Values(StateMap map, int i) => map.Parameters[i].Value.detach().data<float>().ToArray();
        for (int i = 0; i < 2; i++)
            Assert.Equal(Values(maps[0], i), Values(maps[2], i));
        using var identity = new StateMap(16);
        Assert.NotEqual(Values(identity, 0), Values(maps[0], 0));
        Assert.NotEqual(Values(identity, 1), Values(maps[0], 1));

        // The weights alone can be read back; a run without the map is another run.
        using LlamaModel model = TinyLlama.Create(TinyLlama.Config(layers: 2), 1);
        using var full = new FullModel(model);
        TrainingCheckpoint.Last(whole.Run).LoadWeights(full);
        Assert.Equal(whole.Weights!, model.NamedWeights().ToDictionary(w => w.Name, w => w.Weight.bytes.ToArray()));
        halves.Objective = () => new DistillationObjective(teacher, options);
        Assert.Contains("state_map", Assert.Throws<TrainingException>(() => halves.Start()).Message, StringComparison.Ordinal);
        maps.ForEach(m => m.Dispose());
    }

    [Fact]
    public void Run_ObjectiveWithAWeightsName_IsRefused()
    {
        using var bench = new RunBench { Objective = () => new Misnamed() };
        Assert.Contains("begins with 'objective.'", Assert.Throws<TrainingException>(() => bench.Start()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Create_MapThatDoesNotFit_IsRefusedByName()
    {
        using LlamaModel teacher = TinyLlama.Create(), student = TinyLlama.Create(TinyLlama.Config(hidden: 12));
        using StateMap wide = new(20), same = new(16);
        var options = new DistillationOptions { StateWeight = 1, Blocks = [new(0, 0)] };
        Assert.Contains("20 hidden channels", Assert.Throws<TrainingException>(() => new DistillationObjective(teacher, options, wide)).Message, StringComparison.Ordinal);
        Assert.Contains("StateWeight is 0", Assert.Throws<TrainingException>(() => new DistillationObjective(teacher, new(), same)).Message, StringComparison.Ordinal);
        using var full = new FullModel(student);
        var step = new TrainingStep(full, new TrainingStepOptions(), new DistillationObjective(teacher, options, same));
        Assert.Contains("is for 16 channels; the student has 12", Assert.Throws<TrainingException>(() => step.Compute([new TrainingBatch(TinyLlama.Batch(1, 2, 8))], 0, 0)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new StateMap(0));
        Assert.Throws<ArgumentException>(() => new StateMap(16, IndexSet.Of([3, 16])));
        Assert.Throws<ArgumentException>(() => new StateMap(16, IndexSet.Empty));
    }

    private sealed class Misnamed : ITrainingObjective
    {
        public IReadOnlyList<TrainableParameter> Parameters { get; } = [new("state_map.weight", new TorchSharp.Modules.Parameter(zeros(2)))];

        public IMicroBatchObjective Begin(TrainingBatch batch, Tensor ids, Tensor scored) => throw new NotSupportedException();
    }
}
