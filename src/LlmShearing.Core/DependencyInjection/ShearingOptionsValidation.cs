// Two checks of the options: the annotations (generated code, no reflection), and names against what is registered.
using LlmShearing.Devices;
using Microsoft.Extensions.Options;

namespace LlmShearing.DependencyInjection;

[OptionsValidator]
internal sealed partial class ShearingOptionsAnnotations : IValidateOptions<ShearingOptions>
{
}

internal sealed class ShearingOptionsNames(IComponentCatalog<IImportanceScorer> scorers, IComponentCatalog<IPruningStrategy> strategies) : IValidateOptions<ShearingOptions>
{
    public ValidateOptionsResult Validate(string? name, ShearingOptions options)
    {
        string[] failures =
        [
            .. new[] { Problem(scorers, nameof(options.Scorer), options.Scorer), Problem(strategies, nameof(options.Strategy), options.Strategy), DeviceProblem(options.Device) }.OfType<string>(),
        ];
        return failures.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    // Whether the device is there is asked when it is used: a host may be configured on another machine.
    private static string? DeviceProblem(string? name) =>
        string.IsNullOrEmpty(name) || ComputeDevice.IsName(name) ? null : $"{nameof(ShearingOptions.Device)}: there is no device '{name}'. Give {ComputeDevice.Names}.";

    private static string? Problem<T>(IComponentCatalog<T> catalog, string option, string? name)
        where T : class =>
        string.IsNullOrEmpty(name) || catalog.Names.Contains(name, StringComparer.Ordinal) ? null : $"{option}: {catalog.Explain(name)}";
}
