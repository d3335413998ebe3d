// What streaming from disk and loading cost. Prints JSON with ratios of medians; the two sides of each ratio take turns in one process.
// Usage: Streaming [MODEL_FOLDER] [ROWS] [LENGTH] [ROUNDS]
// Peak memory is measured in processes of their own: Streaming --peak none|streamed|blocks|resident MODEL_FOLDER ROWS LENGTH
using System.Diagnostics;
using System.Text.Json;
using LlmShearing;
using LlmShearing.Checkpoints;
using LlmShearing.Devices;
using LlmShearing.Evaluation;
using LlmShearing.Execution;
using LlmShearing.Scoring;
using static TorchSharp.torch;

if (args is ["--peak", ..])
{
    Console.WriteLine(Peak(args[1], args[2], int.Parse(args[3]), int.Parse(args[4])));
    return;
}

string folder = args.Length > 0 ? args[0] : Path.Combine(AppContext.BaseDirectory, "../../../../samples/models/demo-llama-2.5m");
int rows = args.Length > 1 ? int.Parse(args[1]) : 10, length = args.Length > 2 ? int.Parse(args[2]) : 128, rounds = args.Length > 3 ? int.Parse(args[3]) : 5;
using LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(folder);
using LlamaModel resident = LlamaModelLoader.Load(checkpoint);
using var streamed = new StreamedLlama(checkpoint);
int[][] ids = Ids(rows, length, checkpoint.Config);
var evaluator = new PerplexityEvaluator();
Dictionary<string, List<double>> seconds = [];
double difference = 0;
for (int i = -1; i < rounds; i++)
{
    Time("plain read and convert", i, PlainLoop);
    Time("load", i, () => LlamaModelLoader.Load(checkpoint).Dispose());
    double a = 0, b = 0;
    Time("perplexity resident", i, () => a = evaluator.Evaluate(resident, ids).MeanNll);
    Time("perplexity streamed", i, () => b = evaluator.Evaluate(streamed, ids).MeanNll);
    Time("block perplexity resident", i, () => Score(resident));
    Time("block perplexity streamed", i, () => Score(streamed));
    difference = Math.Max(difference, Math.Abs(a - b));
}

long baseline = PeakOf("none"), streamedPeak = PeakOf("streamed"), blocksPeak = PeakOf("blocks"), residentPeak = PeakOf("resident");
long modelBytes = checkpoint.Config.Shape.ParameterCount * sizeof(float);
Console.WriteLine(JsonSerializer.Serialize(new
{
    model = Path.GetFileName(folder.TrimEnd('/')), rows, length, rounds,
    load_speed_over_plain = Ratio("plain read and convert", "load"), wanted_load = 0.7,
    perplexity_streamed_over_resident = Ratio("perplexity streamed", "perplexity resident"),
    block_perplexity_streamed_over_resident = Ratio("block perplexity streamed", "block perplexity resident"), wanted_streamed = 1.3,
    streamed_peak_over_model = Math.Round((streamedPeak - baseline) / (double)modelBytes, 3), wanted_peak = 0.25,
    block_perplexity_streamed_peak_over_model = Math.Round((blocksPeak - baseline) / (double)modelBytes, 3),
    resident_peak_over_model = Math.Round((residentPeak - baseline) / (double)modelBytes, 3),
    largest_difference = difference,
    seconds = seconds.ToDictionary(s => s.Key, s => Median(s.Value)),
    peak_mib = new { baseline = baseline >> 20, streamed = streamedPeak >> 20, blocks = blocksPeak >> 20, resident = residentPeak >> 20, model = modelBytes >> 20 },
}));

// What loading cannot be quicker than: every tensor read by one thread into memory of its own and widened to float32.
void PlainLoop()
{
    byte[] chunk = new byte[256 << 10];
    foreach (CheckpointTensor tensor in checkpoint.Tensors.Values)
    {
        float[] target = GC.AllocateUninitializedArray<float>((int)tensor.ElementCount);
        int size = (int)(tensor.ByteLength / tensor.ElementCount);
        for (long done = 0; done < tensor.ByteLength; done += chunk.Length)
        {
            Span<byte> part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, tensor.ByteLength - done));
            checkpoint.ReadBytes(tensor, done, part);
            DtypeConversion.ToFloat32(tensor.Dtype, part, target.AsSpan((int)(done / size), part.Length / size));
        }
    }
}

void Score(ILlamaSource source) =>
    new BlockPerplexityScorer().Score(new ScoringRequest(source, PruningAxes.Layers, [TokenBatch.FromRows(ids)]));

void Time(string name, int round, Action action)
{
    GC.Collect();
    long start = Stopwatch.GetTimestamp();
    action();
    double elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
    if (round < 0)
        return;
    if (!seconds.TryGetValue(name, out List<double>? list))
        seconds[name] = list = [];
    list.Add(elapsed);
}

double Ratio(string a, string b) => Median(seconds[a].Zip(seconds[b], (x, y) => x / y));

long PeakOf(string mode)
{
    using Process child = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [.. Self(), "--peak", mode, folder, rows.ToString(), length.ToString()]) { RedirectStandardOutput = true })!;
    string output = child.StandardOutput.ReadToEnd();
    child.WaitForExit();
    return long.Parse(output);
}

// Started as "dotnet Streaming.dll", the assembly is the first argument.
static string[] Self() => Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [typeof(Program).Assembly.Location] : [];

static long Peak(string mode, string folder, int rows, int length)
{
    TorchProcess.Prepare();
    if (mode != "resident")
        TorchProcess.ReturnFreedMemory();
    using (Tensor warm = ones(8, 8))
        warm.matmul(warm).Dispose();
    if (mode != "none")
    {
        using LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(folder);
        using IDisposable model = mode != "resident" ? new StreamedLlama(checkpoint) : LlamaModelLoader.Load(checkpoint);
        int[][] ids = Ids(rows, length, checkpoint.Config);
        if (mode == "blocks")
            new BlockPerplexityScorer().Score(new ScoringRequest((ILlamaSource)model, PruningAxes.Layers, [TokenBatch.FromRows(ids)]));
        else
            new PerplexityEvaluator().Evaluate((ILlamaSource)model, ids);
    }

    string line = File.ReadLines("/proc/self/status").Single(l => l.StartsWith("VmHWM", StringComparison.Ordinal));
    return long.Parse(line.Split(':')[1].Replace("kB", "", StringComparison.Ordinal)) << 10;
}

static int[][] Ids(int rows, int length, LlamaConfig config)
{
    var random = new Random(1);
    return [.. Enumerable.Range(0, rows).Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(config.Shape.VocabSize)).ToArray())];
}

static double Median(IEnumerable<double> values)
{
    double[] sorted = [.. values.Order()];
    return Math.Round(sorted[sorted.Length / 2], 4);
}
