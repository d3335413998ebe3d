// A generic host that shears a model and recovers it in the background; everything is set in appsettings.json.
// Run from the root of the repository: dotnet run --project samples/ShearAndRecover
// Another route, here or in appsettings.json: -- --Recovery:Route=learned --Recovery:Output=artifacts/learned
using LlmShearing;
using LlmShearing.Lora;
using LlmShearing.Samples;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

HostApplicationBuilder builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { ContentRootPath = AppContext.BaseDirectory, Args = args });
builder.Services.AddOptions<RecoveryOptions>()
    .BindConfiguration("Recovery", binder => binder.ErrorOnUnknownConfiguration = true)
    .ValidateDataAnnotations()
    .ValidateOnStart();
builder.Services.AddOptions<MaskRouteOptions>()
    .BindConfiguration("Masks", binder => binder.ErrorOnUnknownConfiguration = true)
    .ValidateDataAnnotations()
    .ValidateOnStart();
builder.Services
    .AddLlmShearing(builder.Configuration.GetSection("Shearing"))
    .AddLora(builder.Configuration.GetSection("Lora"));
builder.Services
    .AddKeyedSingleton<IRecoveryRoute, BlocksRoute>(BlocksRoute.Name)
    .AddKeyedSingleton<IRecoveryRoute, LearnedRoute>(LearnedRoute.Name);
builder.Services.AddHostedService<RecoveryService>();
await builder.Build().RunAsync();
