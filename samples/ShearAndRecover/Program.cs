// A generic host that prunes a model and recovers it in the background; everything is set in appsettings.json.
// Run from the root of the repository: dotnet run --project samples/ShearAndRecover
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
builder.Services
    .AddLlmShearing(builder.Configuration.GetSection("Shearing"))
    .AddLora(builder.Configuration.GetSection("Lora"));
builder.Services.AddHostedService<RecoveryService>();
await builder.Build().RunAsync();
