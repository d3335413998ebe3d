// Makes options whose values are checked, with a plain message, while the command line is parsed.
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using LlmShearing.Cli.Terminal;

namespace LlmShearing.Cli.Options;

internal static class Opt
{
    public static Option<bool> Flag(string name, string description) => new(name) { Description = description };

    public static Option<string?> Text(string name, string helpName, string description) =>
        WithPaths(new Option<string?>(name) { Description = description, HelpName = helpName });

    /// <summary>An option that may be repeated: --file a --file b.</summary>
    public static Option<string[]> Texts(string name, string helpName, string description) =>
        WithPaths(new Option<string[]>(name) { Description = description, HelpName = helpName, DefaultValueFactory = _ => [], Arity = ArgumentArity.OneOrMore });

    /// <summary>A name out of few.</summary>
    public static Option<string?> Choice(string name, string description, params string[] values) => Named(name, string.Join('|', values), description, values);

    /// <summary>A name out of many, which the description lists.</summary>
    public static Option<string?> Named(string name, string helpName, string description, IReadOnlyList<string> values)
    {
        Option<string?> option = Parsed(name, helpName, description, text => values.Contains(text, StringComparer.Ordinal) ? text : null, "one of " + string.Join(", ", values), text => NearMisses.Value(text, values));
        option.CompletionSources.Add([.. values]);
        return option;
    }

    public static Option<int?> Int(string name, string helpName, string description, int minimum, int? defaultValue = null, int maximum = int.MaxValue) =>
        Default(Parsed(name, helpName, description, text => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= minimum && value <= maximum ? value : (int?)null,
            minimum == int.MinValue ? "a whole number" : maximum == int.MaxValue ? $"a whole number from {minimum}" : $"a whole number from {minimum} to {maximum}"), defaultValue);

    public static Option<long?> Long(string name, string helpName, string description, long minimum, long maximum = long.MaxValue) =>
        Parsed(name, helpName, description, text => long.TryParse(text.Replace("_", "", StringComparison.Ordinal).Replace(",", "", StringComparison.Ordinal), NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value >= minimum && value <= maximum ? value : (long?)null,
            maximum == long.MaxValue ? $"a whole number from {minimum}" : $"a whole number from {minimum} to {maximum}");

    /// <summary>A size such as 5GB.</summary>
    public static Option<long?> Size(string name, string description, string shownDefault) =>
        Parsed(name, "SIZE", $"{description} [default: {shownDefault}]", Numbers.ParseBytes, "a size such as 5GB or 200MB");

    public static Option<double?> Number(string name, string helpName, string description, Func<double, bool> allowed, string wanted, double? defaultValue = null) =>
        Default(Parsed(name, helpName, description, text => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && allowed(value) ? value : (double?)null, wanted), defaultValue);

    /// <summary>Indices in ranges: 0-3,7. Order does not matter.</summary>
    public static Option<IndexSet?> Indices(string name, string description) => new(name)
    {
        HelpName = "RANGES",
        Description = description,
        CustomParser = result => ParseIndices(name, result),
    };

    private static Option<T> Parsed<T>(string name, string helpName, string description, Func<string, T> read, string wanted, Func<string, string>? meant = null) => new(name)
    {
        HelpName = helpName,
        Description = description,
        CustomParser = result =>
        {
            string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
            if (read(text) is { } value)
                return value;
            result.AddError($"{name} '{text}' does not fit: give {wanted}.{meant?.Invoke(text)}");
            return default;
        },
    };

    private static Option<T> WithPaths<T>(Option<T> option)
    {
        Completions.AddPaths(option);
        return option;
    }

    private static Option<T> Default<T>(Option<T> option, T value)
    {
        if (value is not null)
            option.DefaultValueFactory = _ => value;
        return option;
    }

    private static IndexSet? ParseIndices(string name, ArgumentResult result)
    {
        try
        {
            return IndexSet.Of(result.Tokens.Single().Value.Split(',', StringSplitOptions.TrimEntries).SelectMany(part => IndexSet.Parse(part).Indices));
        }
        catch (PlanException e)
        {
            result.AddError($"{name}: {e.Message}");
            return null;
        }
    }
}
