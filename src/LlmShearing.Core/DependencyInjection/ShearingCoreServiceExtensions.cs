using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace LlmShearing.DependencyInjection;

/// <summary>Registers scoring, planning, cutting and evaluating in a host's container. <c>AddLlmShearing</c> of the package LlmShearing registers all of the library.</summary>
public static class ShearingCoreServiceExtensions
{
    /// <summary>
    /// Registers this assembly with options from a configuration section. Options are checked when the host starts, or when <see cref="ShearingPlanner"/> is first
    /// asked for: unknown keys, values out of range, unknown component names and options that the chosen strategy would not use stop it.
    /// Calling it again adds nothing twice.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="section">The section, for example <c>configuration.GetSection("Shearing")</c>; may be empty.</param>
    /// <returns>A builder to add components with.</returns>
    /// <exception cref="InvalidOperationException">Options come from another section already: two sections would be mixed.</exception>
    public static LlmShearingBuilder AddShearingCore(this IServiceCollection services, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(section);
        return Register(services).BindSection<ShearingOptions>(section);
    }

    /// <summary>Registers this assembly with options from code. Options are checked when the host starts. Calling it again adds nothing twice.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Sets options; null keeps the defaults.</param>
    /// <returns>A builder to add components with.</returns>
    public static LlmShearingBuilder AddShearingCore(this IServiceCollection services, Action<ShearingOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        LlmShearingBuilder builder = Register(services);
        if (configure is not null)
            services.Configure(configure);
        return builder;
    }

    private static LlmShearingBuilder Register(IServiceCollection services)
    {
        var builder = new LlmShearingBuilder(services);
        if (services.Any(d => d.ServiceType == typeof(Registered)))
            return builder;
        services.AddSingleton(new Registered());
        services.TryAddSingleton(new DepthRegistration(services));
        services.AddOptions<ShearingOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ShearingOptions>, ShearingOptionsAnnotations>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ShearingOptions>, ShearingOptionsNames>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ShearingOptions>, ShearingOptionsUse>());
        services.TryAddSingleton<LlamaPruner>();
        services.TryAddSingleton<ShearingPlanner>();
        builder.AddCatalog<IImportanceScorer>("scorer").AddCatalog<IPruningStrategy>("strategy");
        BuiltInComponents.Register(services);
        return builder;
    }

    /// <summary>Its presence says that the library is registered.</summary>
    private sealed class Registered;
}
