using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace LlmShearing.Data;

/// <summary>Registers domain samplers.</summary>
public static class DomainServiceExtensions
{
    /// <summary>Registers the samplers <c>fixed</c> and <c>random</c> with options from a section of its own; an unknown key in it stops the host.</summary>
    /// <param name="builder">The library's registration.</param>
    /// <param name="section">For example <c>configuration.GetSection("Domains")</c>.</param>
    /// <returns>The builder.</returns>
    public static LlmShearingBuilder AddDomains(this LlmShearingBuilder builder, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        Register(builder).Bind(section, binder => binder.ErrorOnUnknownConfiguration = true);
        return builder;
    }

    /// <summary>Registers the samplers <c>fixed</c> and <c>random</c> with options from code.</summary>
    /// <param name="builder">The library's registration.</param>
    /// <param name="configure">Sets domains and shares.</param>
    /// <returns>The builder.</returns>
    public static LlmShearingBuilder AddDomains(this LlmShearingBuilder builder, Action<FixedDomainSamplerOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        Register(builder).Configure(configure);
        return builder;
    }

    // Samplers are transient: each training run has a state of its own.
    private static OptionsBuilder<FixedDomainSamplerOptions> Register(LlmShearingBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddCatalog<IDomainSampler>("domain sampler");
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<FixedDomainSamplerOptions>, Validation>());
        builder.Services.TryAddKeyedTransient<IDomainSampler>(
            FixedDomainSampler.Name, (provider, _) => new FixedDomainSampler(provider.GetRequiredService<IOptions<FixedDomainSamplerOptions>>().Value));
        builder.Services.TryAddKeyedTransient<IDomainSampler>(
            RandomDomainSampler.Name, (provider, _) => new RandomDomainSampler(provider.GetRequiredService<IOptions<FixedDomainSamplerOptions>>().Value));
        return builder.Services.AddOptions<FixedDomainSamplerOptions>().ValidateOnStart();
    }

    private sealed class Validation : IValidateOptions<FixedDomainSamplerOptions>
    {
        public ValidateOptionsResult Validate(string? name, FixedDomainSamplerOptions options) =>
            options.Problem() is string problem ? ValidateOptionsResult.Fail(problem) : ValidateOptionsResult.Success;
    }
}
