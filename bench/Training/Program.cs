// Training against the least that it must do, in turn, in one process. Prints JSON with medians of ratios.
//   step / products     a step without recomputation against forward and backward of the same matrix products (attention's included)
//   recompute / step    a step that runs blocks twice against one that keeps everything
//   lora / step         a step of adapters (rank 8, dropout 0.05, all seven projections) on the frozen model against a step of all weights, both without recomputation
//   masked / step       a step of mask learning (all kinds of masks, drawn anew; the weights' gradients too) against a step of all weights, both without recomputation
//   adam / pass         the optimizer with clipping's norm left out against one reading and writing pass over parameter, gradient and both moments
//   peer                the whole step, optimizer included, against the same model in plain operators (bench/Peer) under torch.optim.AdamW
//   step / float32      with bfloat16: a step against the same in float32
// Usage: Training [MODEL_FOLDER] [BATCH] [LENGTH] [ROUNDS] [float32|bfloat16]   times
//        Training memory [MODEL_FOLDER] [BATCH] [LENGTH] [ROUNDS] [TYPE]   growth of resident memory, freed memory returned at once: in a step, and above the base weights
using System.Diagnostics;
using System.Text.Json;
using LlmShearing;
using LlmShearing.Bench;
using LlmShearing.Devices;
using LlmShearing.Lora;
using LlmShearing.Masks;
using LlmShearing.Masks.Learning;
using LlmShearing.Planning;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using static TorchSharp.torch;

bool memory = args is ["memory", ..];
string[] rest = memory ? args[1..] : args;
string folder = rest.Length > 0 ? rest[0] : Path.Combine(AppContext.BaseDirectory, "../../../../samples/models/demo-llama-2.5m");
int batch = rest.Length > 1 ? int.Parse(rest[1]) : 4, length = rest.Length > 2 ? int.Parse(rest[2]) : 256, rounds = rest.Length > 3 ? int.Parse(rest[3]) : 5;
if (memory)
    TorchProcess.ReturnFreedMemory();   // else what an earlier step needed stays with the process and hides what a later one needs
else
    TorchProcess.Prepare();
ScalarType type = ComputeType.Resolve(rest.Length > 4 ? rest[4] : "float32", CPU);
using LlamaModel model = LlamaModel.Load(folder, type);
var random = new Random(1);
int[] ids = [.. Enumerable.Range(0, batch * length).Select(_ => random.Next(model.Config.Shape.VocabSize))];
TrainingBatch[] batches = [new TrainingBatch(new TokenBatch(batch, length, ids))];
// Two whole steps of adapters, optimizer included, on the bare model: measured before anything else needs memory. One on a few tokens first loads what is loaded once.
if (memory)
{
    TrainingBatch[] all = batches;
    batches = [new TrainingBatch(new TokenBatch(1, 16, ids[..16]))];
    Adapters(whole: true);
    batches = all;
}

double adapters = memory ? ResidentMemory.Growth(() => Adapters(whole: true)) : 0;
double everything = memory ? ResidentMemory.Growth(Everything) : 0;
using var full = new FullModel(model);
using var adam = new AdamWOptimizer(full.Groups(new OptimizerSettings()));
var keep = new TrainingStep(full, new TrainingStepOptions { Recompute = false });
var recompute = new TrainingStep(full, new TrainingStepOptions { Recompute = true });
string name = Path.GetFileName(folder.TrimEnd('/'));

if (memory)
{
    Step(recompute);   // gradients and libraries are there before anything is measured
    double once = ResidentMemory.Growth(() => Step(recompute, keepGradients: true)), kept = ResidentMemory.Growth(() => Step(keep, keepGradients: true));
    Console.WriteLine(JsonSerializer.Serialize(new
    {
        model = name, batch, length, measured = "growth of resident memory during a step, MiB, gradients not counted",
        recompute_mib = once, keep_mib = kept, recompute_over_keep = Math.Round(once / kept, 3),
        lora_above_base_mib = adapters, full_above_base_mib = everything, lora_over_full = Math.Round(adapters / everything, 3),
    }));
    return;
}

using MaskLearner masks = Masks();
var masked = new TrainingStep(masks, new TrainingStepOptions { Recompute = false });
var products = new StepProducts(model, batch, length);
var pass = new MemoryPass(adam, model);
var peer = new PlainLlama(model, train: true);
using Tensor peerIds = tensor(ids.Select(i => (long)i).ToArray(), batch, length);
using var peerAdam = optim.AdamW(peer.Parameters, 1e-9, weight_decay: 0.01);
using LlamaModel? wide = type == ScalarType.Float32 ? null : LlamaModel.Load(folder, ScalarType.Float32);
using FullModel? wideFull = wide is null ? null : new FullModel(wide);
using AdamWOptimizer? wideAdam = wideFull is null ? null : new AdamWOptimizer(wideFull.Groups(new OptimizerSettings()));
TrainingStep? wideStep = wideFull is null ? null : new TrainingStep(wideFull, new TrainingStepOptions { Recompute = false });
List<double> p = [], k = [], r = [], a = [], m = [], n = [], l = [], d = [], g = [], e = [], o = [], w = [];
for (int i = -1; i < rounds; i++)
{
    double[] round =
    [
        Time(products.Run), Time(() => Step(keep)), Time(() => Step(recompute)),
        Time(pass.Run), Time(() => adam.Step([.. adam.Groups.Select(_ => 0.0)], 0.5)), Time(() => adam.GradientNorm()), Adapters(whole: false), Adapters(whole: false, dropout: 0),
        Time(() => Step(masked)), Time(PeerStep), Time(WholeStep), Time(WideStep),
    ];
    if (i < 0)
        continue;
    foreach ((List<double> list, double time) in new[] { p, k, r, m, a, n, l, d, g, e, o, w }.Zip(round))
        list.Add(time);
}

Console.WriteLine(JsonSerializer.Serialize(new
{
    model = name, batch, length, rounds, type = ComputeType.NameOf(type), threads = get_num_threads(),
    step_over_products = Ratio(k, p), wanted_step = type == ScalarType.Float32 ? 1.25 : 1.8,
    recompute_over_step = Ratio(r, k), wanted_recompute = 1.4,
    lora_over_step = Ratio(l, k), wanted_lora = 0.75, lora_without_dropout_over_step = Ratio(d, k),
    masked_over_step = Ratio(g, k), wanted_masked = 1.05,
    adam_over_pass = Ratio(a, m), wanted_adam = 1.5,
    whole_step_over_peer = Ratio(o, e), wanted_peer = 0.9,
    step_over_float32 = wide is null ? 1 : Ratio(k, w), wanted_over_float32 = 0.5,
    norm_over_pass = Ratio(n, m),
    products_seconds = Median(p), step_seconds = Median(k), recompute_seconds = Median(r), pass_seconds = Median(m), adam_seconds = Median(a), norm_seconds = Median(n), lora_seconds = Median(l), peer_seconds = Median(e), whole_step_seconds = Median(o), float32_seconds = Median(w),
}));

void PeerStep()
{
    using var scope = NewDisposeScope();
    peerAdam.zero_grad();
    Tensor loss = peer.Loss(peerIds);
    loss.backward();
    peerAdam.step();
    _ = loss.item<float>();
}

void WholeStep()
{
    Step(keep);
    adam.Step([.. adam.Groups.Select(_ => 0.0)], AdamWOptimizer.ClipScale(adam.GradientNorm(), 1));
}

void WideStep()
{
    wideAdam?.ZeroGradients();
    wideStep?.Compute(batches, 0, 0);
}

void Step(TrainingStep step, bool keepGradients = false)
{
    if (!keepGradients)
        adam.ZeroGradients();
    step.Compute(batches, 0, 0);
}

// Masks of every kind, about half of them likely to be drawn below 1. The weights keep requiring gradients, as `full` made them.
MaskLearner Masks()
{
    LlamaShape shape = model.Config.Shape;
    LlamaShape target = TargetShape.Reduce(shape, PruningAxes.Hidden | PruningAxes.Intermediate | PruningAxes.Layers | PruningAxes.KeyValueGroups, 0.4);
    return new MaskLearner(model, MaskLayout.ForTarget(shape, target), new MaskLearningOptions { TrainWeights = false, Initialization = new MaskInitialization { Mean = 1 } });
}

// Seconds of the last step.
double Adapters(bool whole, double dropout = 0.05)
{
    using LoraAttachment attachment = new LoraAdapter(LoraOptions.ShortenedLlama with { Dropout = dropout }).Attach(model);
    var trainable = new LoraTrainable(attachment);
    using var optimizer = new AdamWOptimizer(trainable.Groups(new OptimizerSettings()));
    var step = new TrainingStep(trainable, new TrainingStepOptions { Recompute = whole });
    double seconds = 0;
    for (int i = 0; i < (whole ? 2 : 1); i++)
    {
        optimizer.ZeroGradients();
        seconds = Time(() => step.Compute(batches, i, 0));
        if (whole)
            optimizer.Step([.. optimizer.Groups.Select(_ => 1e-4)], 1);
    }

    return seconds;
}

// Two whole steps of all weights, with recomputation.
void Everything()
{
    using var trainable = new FullModel(model);
    using var optimizer = new AdamWOptimizer(trainable.Groups(new OptimizerSettings()));
    var step = new TrainingStep(trainable, new TrainingStepOptions { Recompute = true });
    for (int i = 0; i < 2; i++)
    {
        optimizer.ZeroGradients();
        step.Compute(batches, i, 0);
        optimizer.Step([.. optimizer.Groups.Select(_ => 1e-4)], 1);
    }

    optimizer.ZeroGradients();
}

static double Time(Action action)
{
    long start = Stopwatch.GetTimestamp();
    action();
    return Stopwatch.GetElapsedTime(start).TotalSeconds;
}

static double Ratio(List<double> over, List<double> under) => Median(over.Zip(under, (x, y) => x / y));

static double Median(IEnumerable<double> values)
{
    double[] sorted = [.. values.Order()];
    return Math.Round(sorted[sorted.Length / 2], 4);
}
