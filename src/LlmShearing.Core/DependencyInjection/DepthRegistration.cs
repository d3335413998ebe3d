// Whether block-depth is the library's. A host may put a strategy of its own under that name, which then aims at sizes like any other.
using LlmShearing.Planning;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmShearing.DependencyInjection;

internal sealed class DepthRegistration(IServiceCollection services)
{
    /// <summary>Makes the library's strategy. One object, by which its registration is known.</summary>
    public static Func<IServiceProvider, object?, IPruningStrategy> Create { get; } =
        (provider, _) => new BlockDepthStrategy(provider.GetRequiredService<IOptions<ShearingOptions>>().Value.Depth);

    /// <summary>False where a host has its own. Asked of the registrations: the strategy itself needs the options that are being checked.</summary>
    public bool IsBuiltIn => ReferenceEquals(
        services.Last(d => d.IsKeyedService && d.ServiceType == typeof(IPruningStrategy) && BlockDepthStrategy.Name.Equals(d.ServiceKey)).KeyedImplementationFactory,
        Create);
}
