using LlmShearing.DependencyInjection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace LlmShearing.Masks;

/// <summary>Registers learned masks as a scorer.</summary>
public static class MaskServiceExtensions
{
    /// <summary>Registers <see cref="LearnedMaskScorer"/> under its name, with options from a section of its own; an unknown key in it stops the host.</summary>
    /// <param name="builder">The library's registration.</param>
    /// <param name="section">For example <c>configuration.GetSection("Masks")</c>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="InvalidOperationException">Options come from another section already.</exception>
    public static LlmShearingBuilder AddMasks(this LlmShearingBuilder builder, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        Register(builder);
        return builder.BindSection<LearnedMaskOptions>(section);
    }

    /// <summary>Registers <see cref="LearnedMaskScorer"/> under its name, with options from code.</summary>
    /// <param name="builder">The library's registration.</param>
    /// <param name="configure">Names the file.</param>
    /// <returns>The builder.</returns>
    public static LlmShearingBuilder AddMasks(this LlmShearingBuilder builder, Action<LearnedMaskOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        Register(builder).Configure(configure);
        return builder;
    }

    private static OptionsBuilder<LearnedMaskOptions> Register(LlmShearingBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<LearnedMaskOptions>, Validation>());
        builder.AddScorer(LearnedMaskScorer.Name, Create);
        return builder.Services.AddOptions<LearnedMaskOptions>().ValidateOnStart();
    }

    private static LearnedMaskScorer Create(IServiceProvider provider) => new(provider.GetRequiredService<IOptions<LearnedMaskOptions>>().Value.Scores);

    private sealed class Validation : IValidateOptions<LearnedMaskOptions>
    {
        public ValidateOptionsResult Validate(string? name, LearnedMaskOptions options) => string.IsNullOrWhiteSpace(options.Scores)
            ? ValidateOptionsResult.Fail($"{nameof(LearnedMaskOptions.Scores)} is empty. Name the file that the scores of the learned masks were written to.")
            : ValidateOptionsResult.Success;
    }
}
