// The configuration section that options are bound to. Its presence among the services says so, which lets a second section be refused.
using Microsoft.Extensions.Configuration;

namespace LlmShearing.DependencyInjection;

internal sealed class BoundSection<TOptions>(IConfiguration section)
    where TOptions : class
{
    private string? Path => (section as IConfigurationSection)?.Path;

    /// <summary>How messages call it.</summary>
    public string Name => Path is null ? "the root of a configuration" : $"the section '{Path}'";

    /// <summary>Whether both say the same, by place and content: a configuration hands out a new object whenever it is asked for a section.</summary>
    public bool IsSameAs(BoundSection<TOptions> other) => Path == other.Path && Content().SequenceEqual(other.Content());

    /// <summary>Sets the options.</summary>
    /// <exception cref="InvalidOperationException">A key is unknown, or a value stands where a section belongs.</exception>
    public void Bind(TOptions options) => section.Bind(options, binder => binder.ErrorOnUnknownConfiguration = true);

    private IEnumerable<KeyValuePair<string, string?>> Content() =>
        section.AsEnumerable(makePathsRelative: true).OrderBy(p => p.Key, StringComparer.OrdinalIgnoreCase);
}
