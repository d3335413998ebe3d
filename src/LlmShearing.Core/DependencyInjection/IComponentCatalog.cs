namespace LlmShearing.DependencyInjection;

/// <summary>Finds components of one kind by name: scorers as <c>IComponentCatalog&lt;IImportanceScorer&gt;</c>, strategies as <c>IComponentCatalog&lt;IPruningStrategy&gt;</c>.</summary>
/// <typeparam name="TComponent">Interface of the components.</typeparam>
public interface IComponentCatalog<out TComponent>
    where TComponent : class
{
    /// <summary>Registered names, in alphabetical order.</summary>
    IReadOnlyList<string> Names { get; }

    /// <summary>The component of that name.</summary>
    /// <param name="name">A registered name, for example <c>taylor</c>.</param>
    /// <returns>The component; the container owns it.</returns>
    /// <exception cref="UnknownComponentException">No component has that name; the message lists those that exist.</exception>
    TComponent Resolve(string name);

    /// <summary>Says that a name is not registered, and which ones are.</summary>
    /// <param name="name">The name asked for.</param>
    /// <returns>Text for an error message.</returns>
    string Explain(string name);
}

/// <summary>A component was asked for by a name that is not registered.</summary>
/// <param name="message">Names the component and lists those that exist.</param>
public sealed class UnknownComponentException(string message) : ShearingException(message);
