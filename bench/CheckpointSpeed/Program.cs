// Times what the checkpoint code promises, as ratios to the simplest thing that could be done. Prints JSON.
//   (nothing)                             both below on small synthetic models in the temporary folder
//   load <folder> [rounds]              every tensor to float32, against one plain read and convert loop over the same file
//   apply <scratch folder> <GB> [rounds]  a plan on a synthetic bf16 model, against cp of the result; peak resident memory
//   (apply runs itself as "once <source> <plan> <target>" so that the memory figure is of the surgery alone)
using System.Collections.Immutable;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using LlmShearing;
using LlmShearing.Checkpoints;
using LlmShearing.Surgery;

return args switch
{
    ["load", string folder, .. string[] rest] => Load(folder, Rounds(rest)),
    ["apply", string scratch, string size, .. string[] rest] => Apply(scratch, double.Parse(size), Rounds(rest)),
    ["once", string source, string plan, string target] => Once(source, plan, target),
    [] => Default(),
    _ => Usage(),
};

static int Default()
{
    string scratch = Directory.CreateTempSubdirectory("checkpoint-speed-").FullName;
    try
    {
        Apply(scratch, 1, 3);
        return Load(Path.Combine(scratch, "source"), 3);
    }
    finally
    {
        Directory.Delete(scratch, recursive: true);
    }
}

static int Usage()
{
    Console.Error.WriteLine("load <folder> [rounds] | apply <scratch folder> <GB> [rounds]");
    return 2;
}

static int Rounds(string[] rest) => rest.Length > 0 ? int.Parse(rest[0]) : 5;

static int Load(string folder, int rounds)
{
    using LlamaCheckpoint checkpoint = LlamaCheckpoint.Open(folder);
    Dictionary<string, float[]> weights = checkpoint.Tensors.Values.ToDictionary(t => t.Name, t => new float[t.ElementCount]);
    var ours = new List<double>();
    var plain = new List<double>();
    for (int i = 0; i <= rounds; i++)
    {
        double a = Time(() => PlainLoop(checkpoint, weights));
        double b = Time(() =>
        {
            foreach ((string name, float[] values) in weights)
                checkpoint.ReadFloat32(name, values);
        });
        if (i == 0)
            continue; // warms up code and page cache
        plain.Add(a);
        ours.Add(b);
    }

    double open = Time(() => LlamaCheckpoint.Open(folder).Dispose());
    return Print(new { what = "load", bytes = checkpoint.TotalBytes, open_s = open, plain_s = plain.Min(), ours_s = ours.Min(), speed_ratio = plain.Min() / ours.Min() });
}

// What a hand-written loader would do: one buffer, one stream, one vectorised conversion.
static void PlainLoop(LlamaCheckpoint checkpoint, Dictionary<string, float[]> weights)
{
    byte[] buffer = new byte[1 << 20];
    foreach (string file in checkpoint.Files)
    {
        using SafetensorsReader header = SafetensorsReader.Open(file);
        using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.Read, 0);
        foreach (SafetensorsEntry entry in header.Tensors)
        {
            if (!weights.TryGetValue(entry.Name, out float[]? values))
                continue;
            stream.Position = header.DataStart + entry.Offset;
            int done = 0, size = entry.Dtype.Bits() / 8;
            for (long left = entry.ByteLength; left > 0;)
            {
                Span<byte> part = buffer.AsSpan(0, (int)Math.Min(left, buffer.Length));
                stream.ReadExactly(part);
                DtypeConversion.ToFloat32(entry.Dtype, part, values.AsSpan(done, part.Length / size));
                done += part.Length / size;
                left -= part.Length;
            }
        }
    }
}

static int Apply(string scratch, double gigabytes, int rounds)
{
    string source = Path.Combine(scratch, "source"), target = Path.Combine(scratch, "target"), copy = Path.Combine(scratch, "copy");
    Directory.CreateDirectory(scratch);
    LlamaShape shape = Synthetic(gigabytes);
    if (!Directory.Exists(source))
        Generate(source, shape);
    var random = new Random(3);
    ImmutableArray<int> hidden = Kept(random, shape.HiddenSize, 0.75);
    (string Name, PruningPlan Plan)[] plans =
    [
        ("depth", PruningPlan.RemoveBlocks(shape, Enumerable.Range(1, shape.Layers.Length / 4))),
        ("heads-and-ffn", Width(random, shape, [.. Enumerable.Range(0, shape.HiddenSize)])),
        ("all-axes-scattered", Width(random, shape, hidden)),
    ];
    var results = new List<object>();
    foreach ((string name, PruningPlan plan) in plans)
    {
        string file = Path.Combine(scratch, name + ".json");
        plan.Save(file);
        var ours = new List<double>();
        var cp = new List<double>();
        long peak = 0, bytes = 0;
        for (int i = 0; i <= rounds; i++)
        {
            Delete(target);
            double a = Time(() => peak = Math.Max(peak, RunOnce(source, file, target)));
            bytes = Directory.GetFiles(target).Sum(f => new FileInfo(f).Length);
            Delete(copy);
            double b = Time(() => Process.Start("cp", ["-r", target, copy]).WaitForExit());
            if (i == 0)
                continue;
            ours.Add(a);
            cp.Add(b);
        }

        results.Add(new { plan = name, bytes, ours_s = ours.Min(), cp_s = cp.Min(), time_ratio = ours.Min() / cp.Min(), peak_rss_mb = peak / 1048576.0 });
    }

    Delete(target);
    Delete(copy);
    return Print(new { what = "apply", source_bytes = shape.ParameterCount * 2, results });
}

static int Once(string source, string plan, string target)
{
    CheckpointSurgery.Apply(source, PruningPlan.Load(plan), target, new() { Layout = CheckpointLayout.Exact });
    string line = File.ReadLines("/proc/self/status").Single(l => l.StartsWith("VmHWM", StringComparison.Ordinal));
    Console.WriteLine(long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024);
    return 0;
}

static long RunOnce(string source, string plan, string target)
{
    using Process process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["once", source, plan, target]) { RedirectStandardOutput = true })!;
    long peak = long.Parse(process.StandardOutput.ReadToEnd());
    process.WaitForExit();
    return peak;
}

static LlamaShape Synthetic(double gigabytes)
{
    var block = new LayerShape(32, 8, 8192);
    var shape = new LlamaShape { VocabSize = 32000, HiddenSize = 3072, HeadDim = 96, Layers = [block] };
    int layers = Math.Max(4, (int)(((gigabytes * 1e9 / 2) - (2.0 * 32000 * 3072)) / shape.BlockParameterCount(0)));
    return shape with { Layers = [.. Enumerable.Repeat(block, layers)] };
}

static void Generate(string folder, LlamaShape shape)
{
    // Random bits would hold infinities and NaN; the surgery copies bytes and does not care, but a bf16 pattern below 1 is kinder to readers.
    ushort[] noise = new ushort[1 << 20];
    var random = new Random(1);
    for (int i = 0; i < noise.Length; i++)
        noise[i] = (ushort)(0x3C00 | random.Next(0x100) | (random.Next(2) << 15));
    byte[] bytes = MemoryMarshal.AsBytes(noise.AsSpan()).ToArray();
    LlamaCheckpointWriter.Write(folder, new LlamaConfig { Shape = shape, StoredDtype = "bfloat16" }, (tensor, sink) =>
    {
        for (long left = sink.Tensor.ByteLength; left > 0; left -= Math.Min(left, bytes.Length))
            sink.Write(bytes.AsSpan(0, (int)Math.Min(left, bytes.Length)));
    });
}

static PruningPlan Width(Random random, LlamaShape shape, ImmutableArray<int> hidden) => new()
{
    Source = shape,
    Hidden = IndexSet.Of(hidden),
    Layers = [.. shape.Layers.Select((l, i) => new LayerPlan(i, IndexSet.Of(Kept(random, l.QueryHeads, 0.75)), IndexSet.Of(Kept(random, l.IntermediateSize, 0.75))))],
};

static ImmutableArray<int> Kept(Random random, int count, double share)
{
    int[] order = [.. Enumerable.Range(0, count)];
    random.Shuffle(order);
    return [.. order.Take((int)(count * share))];
}

static void Delete(string folder)
{
    if (Directory.Exists(folder))
        Directory.Delete(folder, recursive: true);
}

static double Time(Action action)
{
    var watch = Stopwatch.StartNew();
    action();
    return watch.Elapsed.TotalSeconds;
}

static int Print(object result)
{
    Console.WriteLine(JsonSerializer.Serialize(result, new JsonSerializerOptions { WriteIndented = true }));
    return 0;
}
