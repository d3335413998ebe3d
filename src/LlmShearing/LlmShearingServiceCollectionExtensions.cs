using LlmShearing.DependencyInjection;
using LlmShearing.Training.DependencyInjection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace LlmShearing;

/// <summary>Registers the library in a host's container.</summary>
public static class LlmShearingServiceCollectionExtensions
{
    /// <summary>
    /// Registers the library with options from a configuration section. Options are checked when the host starts, or when <see cref="ShearingPlanner"/> is first
    /// asked for: unknown keys, values out of range, unknown component names and options that the chosen strategy would not use stop it.
    /// Calling it again adds nothing twice.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="section">The section, for example <c>configuration.GetSection("Shearing")</c>; may be empty.</param>
    /// <returns>A builder to add components with.</returns>
    /// <exception cref="InvalidOperationException">Options come from another section already: two sections would be mixed.</exception>
    public static LlmShearingBuilder AddLlmShearing(this IServiceCollection services, IConfiguration section) => services.AddShearingCore(section).AddTraining();

    /// <summary>Registers the library with options from code. Options are checked when the host starts. Calling it again adds nothing twice.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Sets options; null keeps the defaults.</param>
    /// <returns>A builder to add components with.</returns>
    public static LlmShearingBuilder AddLlmShearing(this IServiceCollection services, Action<ShearingOptions>? configure = null) =>
        services.AddShearingCore(configure).AddTraining();
}
