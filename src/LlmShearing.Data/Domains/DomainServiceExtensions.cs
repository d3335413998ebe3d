using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace LlmShearing.Data;

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
    public static LlmShearingBuilder AddDomains(this LlmShearingBuilder builder, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        IConfigurationSection rule = section.GetSection(nameof(DomainsSection.ReferenceLoss));
        Register(builder, options => Start(section, options), rule.Exists() ? options => BindStrictly(rule, options) : null);
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
        Register(builder, configure, referenceLoss);
        return builder;
    }

    // Samplers are transient: each training run has a state of its own.
    private static void Register(LlmShearingBuilder builder, Action<FixedDomainSamplerOptions> configure, Action<ReferenceLossOptions>? referenceLoss)
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
        services.AddOptions<FixedDomainSamplerOptions>().Configure(configure).ValidateOnStart();
        // A host without reference losses never asks for that sampler; it must start all the same.
        if (referenceLoss is not null)
            services.AddOptions<ReferenceLossOptions>().Configure(referenceLoss).ValidateOnStart();
    }

    private static T Of<T>(IServiceProvider provider)
        where T : class => provider.GetRequiredService<IOptions<T>>().Value;

    private static void Start(IConfiguration section, FixedDomainSamplerOptions options)
    {
        var read = new DomainsSection();
        BindStrictly(section, read);
        (options.Proportions, options.Seed) = (read.Proportions, read.Seed);
    }

    private static void BindStrictly(IConfiguration section, object options) => section.Bind(options, binder => binder.ErrorOnUnknownConfiguration = true);

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
