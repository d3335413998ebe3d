using LlmShearing.DependencyInjection;
using LlmShearing.Training.Runs;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmShearing.Training.DependencyInjection;

/// <summary>Registers training.</summary>
public static class TrainingServiceExtensions
{
    /// <summary>Registers <see cref="Trainer"/>. Calling it again adds nothing twice.</summary>
    /// <param name="builder">The library's registration.</param>
    /// <returns>The builder.</returns>
    public static LlmShearingBuilder AddTraining(this LlmShearingBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddSingleton<Trainer>();
        return builder;
    }
}
