using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace LlmShearing.Samples;

/// <summary>Takes the configured route in the background of a host, then ends the application.</summary>
internal sealed partial class RecoveryService(
    IServiceProvider services, IOptions<RecoveryOptions> options, IHostApplicationLifetime application, ILogger<RecoveryService> logger) : BackgroundService
{
    // The library computes synchronously; a host gives it a thread of its own.
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Run(() => Work(options.Value, stoppingToken), CancellationToken.None);
        application.StopApplication();
    }

    private void Work(RecoveryOptions o, CancellationToken stopping)
    {
        var route = services.GetRequiredKeyedService<IRecoveryRoute>(o.Route);
        if (route.Run(RecoveryText.Read(o), new ProgressLog(logger), stopping) is { } report)
            Console.WriteLine($"{o.Route}: {report.Change}; perplexity {report.Before:F1}, cut {report.Cut:F1}, recovered {report.Recovered:F1}");
    }

    [LoggerMessage(LogLevel.Information, "{Stage}: {Completed} of {Total} {Unit} {Detail}")]
    private static partial void LogProgress(ILogger logger, string stage, long completed, long total, string unit, string? detail);

    private sealed class ProgressLog(ILogger logger) : IProgress<ShearingProgress>
    {
        public void Report(ShearingProgress value)
        {
            if (value.Completed % 10 == 0)
                LogProgress(logger, value.Stage, value.Completed, value.Total, value.Unit, value.Detail);
        }
    }
}
