using LlmShearing.DependencyInjection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace LlmShearing.Data.Domains;

/// <summary>Registers domain samplers.</summary>
public static class DomainServiceExtensions
{
    /// <summary>
    /// Registers the samplers <c>fixed</c>, <c>random</c> and <c>reference-loss</c> with options from a section of its own: <c>Proportions</c>, <c>Seed</c>, and
    /// <c>ReferenceLoss</c> with the members of <see cref="ReferenceLossOptions"/>. An unknown key in it stops the host.
    /// </summary>
    /// <param name="builder">The library's registration.</param>
    /// <param name="section">For example <c>configuration.GetSection("Domains")</c>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="InvalidOperationException">Options come from another section already.</exception>
    public static LlmShearingBuilder AddDomains(this LlmShearingBuilder builder, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        Register(builder).BindSection<DomainsSection>(section);
        IServiceCollection services = builder.Services;
        services.AddOptions<FixedDomainSamplerOptions>()
            .Configure<IOptions<DomainsSection>>((options, read) => (options.Proportions, options.Seed) = (read.Value.Proportions, read.Value.Seed))
            .ValidateOnStart();
        // A host without reference losses never asks for that sampler; it must start all the same.
        IConfigurationSection rule = section.GetSection(nameof(DomainsSection.ReferenceLoss));
        if (rule.Exists())
        {
            builder.BindSection<ReferenceLossOptions>(rule);
            services.AddOptions<ReferenceLossOptions>().ValidateOnStart();
        }

        return builder;
    }

    /// <summary>Registers the samplers <c>fixed</c>, <c>random</c> and <c>reference-loss</c> with options from code.</summary>
    /// <param name="builder">The library's registration.</param>
    /// <param name="configure">Sets domains, their shares at the start, and the seed.</param>
    /// <param name="referenceLoss">Sets reference losses and the rule; null = <c>reference-loss</c> is not used.</param>
    /// <returns>The builder.</returns>
    public static LlmShearingBuilder AddDomains(this LlmShearingBuilder builder, Action<FixedDomainSamplerOptions> configure, Action<ReferenceLossOptions>? referenceLoss = null)
    {
        ArgumentNullException.ThrowIfNull(configure);
        IServiceCollection services = Register(builder).Services;
        services.AddOptions<FixedDomainSamplerOptions>().Configure(configure).ValidateOnStart();
        if (referenceLoss is not null)
            services.AddOptions<ReferenceLossOptions>().Configure(referenceLoss).ValidateOnStart();
        return builder;
    }

    // Samplers are transient: each training run has a state of its own.
    private static LlmShearingBuilder Register(LlmShearingBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddCatalog<IDomainSampler>("domain sampler");
        IServiceCollection services = builder.Services;
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<FixedDomainSamplerOptions>, Validation>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ReferenceLossOptions>, ReferenceLossValidation>());
        services.TryAddKeyedTransient<IDomainSampler>(FixedDomainSampler.Name, (provider, _) => new FixedDomainSampler(Of<FixedDomainSamplerOptions>(provider)));
        services.TryAddKeyedTransient<IDomainSampler>(RandomDomainSampler.Name, (provider, _) => new RandomDomainSampler(Of<FixedDomainSamplerOptions>(provider)));
        services.TryAddKeyedTransient<IDomainSampler>(
            ReferenceLossSampler.Name, (provider, _) => new ReferenceLossSampler(Of<FixedDomainSamplerOptions>(provider), Of<ReferenceLossOptions>(provider)));
        return builder;
    }

    private static T Of<T>(IServiceProvider provider)
        where T : class => provider.GetRequiredService<IOptions<T>>().Value;

    private sealed class Validation : IValidateOptions<FixedDomainSamplerOptions>
    {
        public ValidateOptionsResult Validate(string? name, FixedDomainSamplerOptions options) =>
            options.Problem() is string problem ? ValidateOptionsResult.Fail(problem) : ValidateOptionsResult.Success;
    }

    private sealed class ReferenceLossValidation(IOptions<FixedDomainSamplerOptions> start) : IValidateOptions<ReferenceLossOptions>
    {
        public ValidateOptionsResult Validate(string? name, ReferenceLossOptions options) =>
            options.Problem(start.Value.Proportions.Keys) is string problem ? ValidateOptionsResult.Fail(problem) : ValidateOptionsResult.Success;
    }
}
