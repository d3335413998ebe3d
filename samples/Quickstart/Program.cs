// Score, plan, measure, cut: no container, one screen. Run from the root of the repository: dotnet run --project samples/Quickstart
using LlmShearing;
using LlmShearing.Data.Calibration;
using LlmShearing.Planning;
using LlmShearing.Scoring;
using LlmShearing.Surgery;
using LlmShearing.Tokenizers;

string folder = args.ElementAtOrDefault(0) ?? "samples/models/demo-llama-2.5m";
string text = File.ReadAllText(args.ElementAtOrDefault(1) ?? "README.md");
string output = args.ElementAtOrDefault(2) ?? "artifacts/quickstart";

// <snippet>
int[] ids = TokenizerLoader.Load(folder).Encode(text);
IReadOnlyList<int[]> calibration = new CalibrationSampler(count: 10, length: 128).FromStream(ids);
using LlamaModel model = LlamaModel.Load(folder);

// Which blocks matter least, and a plan without three of them.
var pruner = new LlamaPruner();
PruningPlan plan = pruner.CreatePlan(
    model,
    new BlockPerplexityScorer(),
    new BlockDepthOptions { Count = 3, ProtectFirst = 1, ProtectLast = 1 },
    TokenBatch.Batches(calibration, batchSize: 10));

// What the plan costs, before anything is cut.
double before = pruner.Evaluate(model, plan: null, [ids]).Perplexity;
double planned = pruner.Evaluate(model, plan, [ids]).Perplexity;

// The smaller Hugging Face folder, written without loading the model.
CheckpointSurgery.Apply(folder, plan, output, new CheckpointSurgeryOptions { Overwrite = true });
using LlamaModel smaller = LlamaModel.Load(output);
double after = pruner.Evaluate(smaller, plan: null, [ids]).Perplexity;
// </snippet>

Console.WriteLine($"removed blocks {plan.RemovedBlocks}: {plan.Source.ParameterCount:N0} -> {plan.Target.ParameterCount:N0} parameters");
Console.WriteLine($"perplexity {before:F2} -> {after:F2} (the plan said {planned:F2}); written to {output}");
