using LlmShearing.DependencyInjection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace LlmShearing.Lora;

/// <summary>Registers low-rank adapters.</summary>
public static class LoraServiceExtensions
{
    /// <summary>Registers <see cref="ILoraAdapter"/> with options from a section of its own; an unknown key in it stops the host.</summary>
    /// <param name="builder">The library's registration.</param>
    /// <param name="section">For example <c>configuration.GetSection("Lora")</c>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="InvalidOperationException">Options come from another section already.</exception>
    public static LlmShearingBuilder AddLora(this LlmShearingBuilder builder, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        Register(builder);
        return builder.BindSection<LoraOptions>(section);
    }

    /// <summary>Registers <see cref="ILoraAdapter"/> with options from code.</summary>
    /// <param name="builder">The library's registration.</param>
    /// <param name="configure">Sets options; null keeps the defaults.</param>
    /// <returns>The builder.</returns>
    public static LlmShearingBuilder AddLora(this LlmShearingBuilder builder, Action<LoraOptions>? configure = null)
    {
        OptionsBuilder<LoraOptions> options = Register(builder);
        if (configure is not null)
            options.Configure(configure);
        return builder;
    }

    private static OptionsBuilder<LoraOptions> Register(LlmShearingBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<LoraOptions>, Validation>());
        builder.Services.TryAddSingleton<ILoraAdapter>(
            provider => new LoraAdapter(provider.GetRequiredService<IOptions<LoraOptions>>().Value, provider.GetService<ILogger<LoraAdapter>>()));
        return builder.Services.AddOptions<LoraOptions>().ValidateOnStart();
    }

    private sealed class Validation : IValidateOptions<LoraOptions>
    {
        public ValidateOptionsResult Validate(string? name, LoraOptions options) =>
            options.Problems() is { Count: > 0 } problems ? ValidateOptionsResult.Fail(problems) : ValidateOptionsResult.Success;
    }
}
