// Block perplexity: the staircase against removing blocks one by one, resident against streamed. In one process, in turn; prints JSON.
// and against the same model in plain operators (bench/Peer), from which blocks are removed one by one; with bfloat16 also against float32.
// Usage: Scoring MODEL_FOLDER [SAMPLES] [LENGTH] [BLOCKS] [staircase|streamed|both] [float32|bfloat16] [ACTIVATION_MIB]
//   BLOCKS: how many removals to time one by one; their time is scaled up to all blocks.
// Peak memory is of the process: run `streamed` alone to see its own.
using System.Diagnostics;
using System.Text.Json;
using LlmShearing;
using LlmShearing.Bench;
using LlmShearing.Checkpoints;
using LlmShearing.Devices;
using LlmShearing.Evaluation;
using LlmShearing.Execution;
using LlmShearing.Scoring;
using static TorchSharp.torch;

if (args.Length == 0)
    throw new ArgumentException("Give a model folder.");
string folder = args[0];
int samples = Argument(1, 10), length = Argument(2, 128), sampled = Argument(3, 4);
string what = args.Length > 4 ? args[4] : "both";
var options = new BlockPerplexityOptions();
TorchProcess.Prepare();
ScalarType type = ComputeType.Resolve(args.Length > 5 ? args[5] : "float32", CPU);
if (args.Length > 6)
    options.MaxActivationBytes = (long)Argument(6, 0) << 20;
using LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(folder);
var random = new Random(1);
int[][] rows = [.. Enumerable.Range(0, samples).Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(checkpoint.Config.Shape.VocabSize)).ToArray())];
TokenBatch[] batches = [TokenBatch.FromRows(rows)];
int blocks = checkpoint.Config.Shape.Layers.Length;
var result = new Dictionary<string, object> { ["model"] = Path.GetFileName(folder.TrimEnd('/')), ["samples"] = samples, ["length"] = length, ["blocks"] = blocks, ["type"] = ComputeType.NameOf(type) };
ImportanceScores? resident = null, streamed = null;
double residentSeconds = 0;
if (what != "streamed")
{
    using LlamaModel model = LlamaModel.Load(folder, type);
    _ = new BlockInfluenceScorer().Score(new ScoringRequest(model, PruningAxes.Layers, batches));   // warm
    (residentSeconds, double residentCpu) = Time(() => resident = new BlockPerplexityScorer(options).Score(new ScoringRequest(model, PruningAxes.Layers, batches)));
    result["staircase_seconds"] = residentSeconds;
    result["staircase_cpu_seconds"] = residentCpu;
    result["resident_peak_mib"] = Peak();
    if (sampled > 0)
    {
        int[] chosen = [.. Enumerable.Range(0, Math.Min(sampled, blocks)).Select(i => (i * blocks / Math.Min(sampled, blocks)) + (blocks / Math.Min(sampled, blocks) / 2))];
        double worst = 0;
        (double one, double cpu) = Time(() =>
        {
            foreach (int block in chosen)
                worst = Math.Max(worst, Math.Abs((Without(model, block) / resident!.Layers[block]) - 1));
        });
        result["one_by_one_seconds"] = one * blocks / chosen.Length;
        result["one_by_one_cpu_seconds"] = cpu * blocks / chosen.Length;
        result["one_by_one_over_staircase"] = one * blocks / chosen.Length / residentSeconds;
        result["one_by_one_over_staircase_cpu"] = cpu * blocks / chosen.Length / residentCpu;
        result["largest_relative_difference"] = worst;
        var peer = new PlainLlama(model, train: false);
        _ = PeerWithout(peer, 0);
        (double plain, _) = Time(() =>
        {
            foreach (int block in chosen)
                _ = PeerWithout(peer, block);
        });
        result["peer_seconds"] = plain * blocks / chosen.Length;
        result["peer_over_staircase"] = plain * blocks / chosen.Length / residentSeconds;
    }
}

if (what != "streamed" && type != ScalarType.Float32)
{
    using LlamaModel wide = LlamaModel.Load(folder);
    ImportanceScores? scores = null;
    _ = new BlockInfluenceScorer().Score(new ScoringRequest(wide, PruningAxes.Layers, batches));   // warm
    (double seconds, _) = Time(() => scores = new BlockPerplexityScorer(options).Score(new ScoringRequest(wide, PruningAxes.Layers, batches)));
    result["float32_over_this"] = seconds / residentSeconds;
    result["first_eight_float32"] = FirstEight(scores!);
    result["first_eight"] = FirstEight(resident!);
}

if (what != "staircase")
{
    using StreamedLlama source = StreamedLlama.Open(folder, type);
    (double seconds, double cpu) = Time(() => streamed = new BlockPerplexityScorer(options).Score(new ScoringRequest(source, PruningAxes.Layers, batches)));
    result["streamed_seconds"] = seconds;
    result["streamed_cpu_seconds"] = cpu;
    result["peak_mib"] = Peak();
    if (resident is not null)
    {
        result["streamed_over_resident"] = seconds / residentSeconds;
        result["streamed_largest_relative_difference"] = Enumerable.Range(0, blocks).Max(i => Math.Abs((streamed!.Layers[i] / resident.Layers[i]) - 1));
    }
}

Console.WriteLine(JsonSerializer.Serialize(result));

// The library's own evaluator with the gates of a plan: what a user would write without the scorer.
double Without(LlamaModel model, int block)
{
    using LlamaGates gates = LlamaGates.FromPlan(PruningPlan.RemoveBlocks(model.Config.Shape, [block]));
    return new PerplexityEvaluator().Evaluate(model, rows, PerplexityProtocol.Rows, gates).Perplexity;
}

// Perplexity without a block, all rows in one batch.
double PeerWithout(PlainLlama peer, int block)
{
    using var noGrad = no_grad();
    using var scope = NewDisposeScope();
    Tensor ids = tensor(rows.SelectMany(r => r.Select(i => (long)i)).ToArray(), samples, length);
    return Math.Exp(peer.Loss(ids, block).item<float>());
}

static int[] FirstEight(ImportanceScores scores) => [.. Enumerable.Range(0, scores.Layers.Length).OrderBy(i => scores.Layers[i]).Take(8).Order()];

int Argument(int index, int fallback) => args.Length > index ? int.Parse(args[index]) : fallback;

static (double Wall, double Cpu) Time(Action action)
{
    using Process self = Process.GetCurrentProcess();
    TimeSpan before = self.TotalProcessorTime;
    var watch = Stopwatch.StartNew();
    action();
    double wall = watch.Elapsed.TotalSeconds;
    self.Refresh();
    return (wall, (self.TotalProcessorTime - before).TotalSeconds);
}

static long Peak()
{
    using Process self = Process.GetCurrentProcess();
    return self.PeakWorkingSet64 >> 20;
}
