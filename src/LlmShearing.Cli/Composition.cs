// The container that the command line works from: the registrations that any host makes with AddLlmShearing.
using LlmShearing.DependencyInjection;
using Microsoft.Extensions.DependencyInjection;

namespace LlmShearing.Cli;

internal static class Composition
{
    /// <summary>Names of the criteria, for help texts.</summary>
    public static IReadOnlyList<string> Names { get; } = Build(null).GetRequiredService<IComponentCatalog<IImportanceScorer>>().Names;

    /// <summary>A container with the given options.</summary>
    public static ServiceProvider Build(Action<ShearingOptions>? configure)
    {
        var services = new ServiceCollection();
        services.AddLlmShearing(configure);
        return services.BuildServiceProvider();
    }
}
