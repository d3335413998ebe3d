// Keyed registrations can be resolved but not listed by a container; the list comes from the service collection itself.
using LlmShearing.Support;
using Microsoft.Extensions.DependencyInjection;

namespace LlmShearing.DependencyInjection;

internal sealed class ComponentCatalog<TComponent>(IServiceProvider provider, IServiceCollection services, string kind) : IComponentCatalog<TComponent>
    where TComponent : class
{
    // Read when first asked for, so that the order of registrations does not matter.
    private readonly Lazy<string[]> _names = new(() =>
    [
        .. services
            .Where(d => d.IsKeyedService && d.ServiceType == typeof(TComponent))
            .Select(d => d.ServiceKey)
            .OfType<string>()
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal),
    ]);

    public IReadOnlyList<string> Names => _names.Value;

    public TComponent Resolve(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return provider.GetKeyedService<TComponent>(name) ?? throw new UnknownComponentException(Explain(name));
    }

    public string Explain(string name) =>
        $"No {kind} is registered as '{name}'.{Suggestion.Text(name, Names)} Registered: {(Names.Count == 0 ? "none" : string.Join(", ", Names))}.";
}
