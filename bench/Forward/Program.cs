// Forward pass against its own matrix products, and gates against no gates; in turn, in one process. Prints JSON with ratios of medians.
// Usage: Forward [MODEL_FOLDER] [BATCH] [LENGTH] [ROUNDS] [float32|bfloat16]
using System.Diagnostics;
using System.Text.Json;
using LlmShearing;
using LlmShearing.Devices;
using LlmShearing.Model;
using static TorchSharp.torch;

string folder = args.Length > 0 ? args[0] : Path.Combine(AppContext.BaseDirectory, "../../../../samples/models/demo-llama-2.5m");
int batch = args.Length > 1 ? int.Parse(args[1]) : 4, length = args.Length > 2 ? int.Parse(args[2]) : 512, rounds = args.Length > 3 ? int.Parse(args[3]) : 7;
TorchProcess.Prepare();
ScalarType type = ComputeType.Resolve(args.Length > 4 ? args[4] : "float32", CPU);
using LlamaModel model = LlamaModel.Load(folder, type);
using var noGrad = no_grad();
LlamaShape shape = model.Config.Shape;
using Tensor ids = randint(0, shape.VocabSize, [batch, length], dtype: ScalarType.Int64);
using LlamaGates gates = LlamaGates.Ones(shape, PruningAxes.Hidden | PruningAxes.QueryHeads | PruningAxes.Intermediate | PruningAxes.Layers);
var gated = new ForwardOptions { Gates = gates };

double forward = 0, products = 0, withGates = 0;
List<double> f = [], p = [], g = [];
for (int i = -1; i < rounds; i++)
{
    forward = Time(() => model.forward(ids, null).Dispose());
    products = Time(MatrixProducts);
    withGates = Time(() => model.forward(ids, gated).Dispose());
    if (i < 0)
        continue;
    f.Add(forward);
    p.Add(products);
    g.Add(withGates);
}

Console.WriteLine(JsonSerializer.Serialize(new
{
    model = Path.GetFileName(folder.TrimEnd('/')), batch, length, rounds, type = ComputeType.NameOf(type),
    forward_over_matmuls = Median(f.Zip(p, (a, b) => a / b)), wanted_forward = type == ScalarType.Float32 ? 1.15 : 1.5,
    gates_over_none = Median(g.Zip(f, (a, b) => a / b)), wanted_gates = 1.03,
    forward_seconds = Median(f), matmul_seconds = Median(p), gated_seconds = Median(g),
}));

// The linear layers of one pass and the two products of attention, nothing else.
void MatrixProducts()
{
    using var scope = NewDisposeScope();
    int n = batch * length, h = shape.HiddenSize;
    Tensor x = ones(n, h, dtype: type);
    foreach (LlamaBlock block in model.layers)
    {
        using var inner = NewDisposeScope();
        if (block.self_attn is { } a)
        {
            _ = nn.functional.linear(x, a.q_proj.weight);
            _ = nn.functional.linear(x, a.k_proj.weight);
            _ = nn.functional.linear(x, a.v_proj.weight);
            int heads = shape.Layers[block.Layer].QueryHeads, d = shape.HeadDim;
            Tensor q = ones(batch * heads, length, d, dtype: type), k = ones(batch * heads, d, length, dtype: type);
            _ = q.bmm(k).bmm(q);
            _ = nn.functional.linear(ones(n, a.o_proj.InFeatures, dtype: type), a.o_proj.weight);
        }

        if (block.mlp is { } m)
        {
            _ = nn.functional.linear(x, m.gate_proj.weight);
            Tensor u = nn.functional.linear(x, m.up_proj.weight);
            _ = nn.functional.linear(u, m.down_proj.weight);
        }
    }

    _ = nn.functional.linear(x, model.lm_head is null ? model.embed_tokens.weight : model.lm_head.weight);
}

static double Time(Action action)
{
    long start = Stopwatch.GetTimestamp();
    action();
    return Stopwatch.GetElapsedTime(start).TotalSeconds;
}

static double Median(IEnumerable<double> values)
{
    double[] sorted = [.. values.Order()];
    return Math.Round(sorted[sorted.Length / 2], 4);
}
