// A generic host, a criterion of one's own found by name, options from appsettings.json.
// Run from the root of the repository: dotnet run --project samples/CustomScorer
using LlmShearing;
using LlmShearing.Data.Calibration;
using LlmShearing.DependencyInjection;
using LlmShearing.Samples;
using LlmShearing.Tokenizers;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

string folder = args.ElementAtOrDefault(0) ?? "samples/models/demo-llama-2.5m";
string text = File.ReadAllText(args.ElementAtOrDefault(1) ?? "README.md");

// <snippet>
HostApplicationBuilder builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { ContentRootPath = AppContext.BaseDirectory });
builder.Services.AddOptions<CenterBiasOptions>().BindConfiguration("CenterBias").ValidateDataAnnotations().ValidateOnStart();
builder.Services
    .AddLlmShearing(builder.Configuration.GetSection("Shearing"))
    .AddScorer<CenterBiasScorer>("center-bias");

using IHost host = builder.Build();
await host.StartAsync();   // a typing error in appsettings.json stops the host here

var planner = host.Services.GetRequiredService<ShearingPlanner>();
using LlamaModel model = LlamaModel.Load(folder);
int[] ids = TokenizerLoader.Load(folder).Encode(text);
PruningPlan plan = planner.CreatePlan(model, TokenBatch.Batches(new CalibrationSampler().FromStream(ids), batchSize: 10));
// </snippet>

Console.WriteLine($"{plan.Provenance?.Scorer}: removed blocks {plan.RemovedBlocks}, {plan.Source.ParameterCount:N0} -> {plan.Target.ParameterCount:N0} parameters");
await host.StopAsync();
