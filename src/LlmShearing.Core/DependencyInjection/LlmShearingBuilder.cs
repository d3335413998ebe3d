using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmShearing.DependencyInjection;

/// <summary>
/// Adds components to the library's registration. Components are keyed singletons, found by kebab-case name. A name is taken once:
/// to replace a built-in component, register yours under its name before calling <c>AddLlmShearing</c>.
/// </summary>
public sealed partial class LlmShearingBuilder
{
    internal LlmShearingBuilder(IServiceCollection services) => Services = services;

    /// <summary>The services of the host.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Adds a scorer, made by the container.</summary>
    /// <typeparam name="TScorer">The scorer.</typeparam>
    /// <param name="name">Kebab-case name.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">The name is not kebab-case.</exception>
    /// <exception cref="InvalidOperationException">The name belongs to another scorer.</exception>
    public LlmShearingBuilder AddScorer<TScorer>(string name)
        where TScorer : class, IImportanceScorer => Add<IImportanceScorer, TScorer>(name);

    /// <summary>Adds a scorer, made by a function.</summary>
    /// <param name="name">Kebab-case name.</param>
    /// <param name="create">Called once, when the scorer is first asked for.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">The name is not kebab-case.</exception>
    /// <exception cref="InvalidOperationException">The name belongs to another scorer.</exception>
    public LlmShearingBuilder AddScorer(string name, Func<IServiceProvider, IImportanceScorer> create) => Add(name, create);

    /// <summary>Adds a strategy, made by the container.</summary>
    /// <typeparam name="TStrategy">The strategy.</typeparam>
    /// <param name="name">Kebab-case name.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">The name is not kebab-case.</exception>
    /// <exception cref="InvalidOperationException">The name belongs to another strategy.</exception>
    public LlmShearingBuilder AddStrategy<TStrategy>(string name)
        where TStrategy : class, IPruningStrategy => Add<IPruningStrategy, TStrategy>(name);

    /// <summary>Adds a strategy, made by a function.</summary>
    /// <param name="name">Kebab-case name.</param>
    /// <param name="create">Called once, when the strategy is first asked for.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="ArgumentException">The name is not kebab-case.</exception>
    /// <exception cref="InvalidOperationException">The name belongs to another strategy.</exception>
    public LlmShearingBuilder AddStrategy(string name, Func<IServiceProvider, IPruningStrategy> create) => Add(name, create);

    /// <summary>Makes components of a further kind findable by name. Does nothing when the kind is known.</summary>
    /// <typeparam name="TComponent">Interface under which the components are registered as keyed services.</typeparam>
    /// <param name="kind">What one is called in messages, for example "scorer".</param>
    /// <returns>This builder.</returns>
    public LlmShearingBuilder AddCatalog<TComponent>(string kind)
        where TComponent : class
    {
        ArgumentException.ThrowIfNullOrEmpty(kind);
        IServiceCollection services = Services;
        services.TryAddSingleton<IComponentCatalog<TComponent>>(provider => new ComponentCatalog<TComponent>(provider, services, kind));
        return this;
    }

    /// <summary>
    /// Binds options to a configuration section, strictly: an unknown key is an error when the options are first read.
    /// Giving the same section again changes nothing.
    /// </summary>
    /// <typeparam name="TOptions">The options.</typeparam>
    /// <param name="section">For example <c>configuration.GetSection("Shearing")</c>; may be empty.</param>
    /// <returns>This builder.</returns>
    /// <exception cref="InvalidOperationException">The options are bound to another section already: values of two sections would be mixed.</exception>
    public LlmShearingBuilder BindSection<TOptions>(IConfiguration section)
        where TOptions : class
    {
        ArgumentNullException.ThrowIfNull(section);
        var wanted = new BoundSection<TOptions>(section);
        if (Services.Select(d => d.IsKeyedService ? null : d.ImplementationInstance).OfType<BoundSection<TOptions>>().FirstOrDefault() is { } bound)
        {
            return bound.IsSameAs(wanted)
                ? this
                : throw new InvalidOperationException(
                    $"{typeof(TOptions).Name} are bound to {bound.Name} already and would be mixed with {wanted.Name}. Put all keys into one section, and set what differs in code.");
        }

        Services.AddSingleton(wanted);
        Services.AddOptions<TOptions>().Configure(wanted.Bind);
        return this;
    }

    private LlmShearingBuilder Add<TService, TComponent>(string name)
        where TService : class
        where TComponent : class, TService
    {
        if (IsFree<TService>(name, d => d.KeyedImplementationType == typeof(TComponent)))
            Services.TryAddKeyedSingleton<TService, TComponent>(name);
        return this;
    }

    private LlmShearingBuilder Add<TService>(string name, Func<IServiceProvider, TService> create)
        where TService : class
    {
        ArgumentNullException.ThrowIfNull(create);
        // The container's factories get the key too; the wrapper carries the function, by which a repeated call is recognised.
        var factory = new KeyedFactory<TService>(create);
        if (IsFree<TService>(name, d => d.KeyedImplementationFactory?.Target is KeyedFactory<TService> other && other.Create == create))
            Services.TryAddKeyedSingleton<TService>(name, factory.Invoke);
        return this;
    }

    // A second registration under a name would be ignored by TryAdd; ignoring what a host asks for is no help to it.
    private bool IsFree<TService>(string name, Func<ServiceDescriptor, bool> isSame)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!KebabCase().IsMatch(name))
            throw new ArgumentException($"'{name}' is not a kebab-case name such as block-perplexity.", nameof(name));
        ServiceDescriptor? taken = Services.FirstOrDefault(d => d.IsKeyedService && d.ServiceType == typeof(TService) && name.Equals(d.ServiceKey));
        if (taken is null)
            return true;
        return isSame(taken)
            ? false
            : throw new InvalidOperationException($"'{name}' is already registered as {typeof(TService).Name}. Choose another name or, to replace a built-in component, register yours before AddLlmShearing.");
    }

    [GeneratedRegex(@"^[a-z0-9]+(-[a-z0-9]+)*\z", RegexOptions.CultureInvariant)]
    private static partial Regex KebabCase();

    private sealed class KeyedFactory<TService>(Func<IServiceProvider, TService> create)
    {
        public Func<IServiceProvider, TService> Create { get; } = create;

        public TService Invoke(IServiceProvider provider, object? key) => Create(provider);
    }
}
