// --config FILE: a JSON object whose members are the verb's own options without their dashes. What the command line says wins.
using System.CommandLine;
using System.Text.Json;
using LlmShearing.Cli.Commands;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Terminal;
using LlmShearing.Json;

namespace LlmShearing.Cli;

internal static class ConfigFile
{
    /// <summary>The arguments with the settings of the file put behind them; the arguments themselves when no file is named.</summary>
    /// <exception cref="UsageException">The file is no JSON object, or has a member that is no option of the verb.</exception>
    public static IReadOnlyList<string> Expand(IReadOnlyList<string> args, ParseResult parsed)
    {
        if (parsed.CommandResult.Command is not ShearCommand { Config: { } option } command || parsed.GetValue(option) is not { } path)
            return args;
        using JsonDocument document = Read(path);
        return Expand(args, parsed, command, option, path, document.RootElement);
    }

    /// <summary>Refuses settings that a verb would refuse on its command line, before anything is done.</summary>
    /// <param name="verb">The command line without the settings.</param>
    /// <param name="settings">The object that would be its --config.</param>
    /// <param name="place">Where the settings are, for messages.</param>
    /// <param name="surroundings">Of the verb that asks.</param>
    /// <exception cref="UsageException">A member is no option of the verb, or its value does not fit.</exception>
    public static void Check(IReadOnlyList<string> verb, JsonElement settings, string place, Surroundings surroundings)
    {
        RootCommand root = ShearCommandLine.Create(surroundings);
        ParseResult parsed = root.Parse(verb);
        var command = (ShearCommand)parsed.CommandResult.Command;
        ParseResult all = root.Parse(Expand(verb, parsed, command, command.Config!, place, settings));
        if (all.Errors is [var error, ..])
            throw new UsageException($"{place}: {error.Message}");
    }

    private static List<string> Expand(IReadOnlyList<string> args, ParseResult parsed, ShearCommand command, Option config, string path, JsonElement settings)
    {
        var all = new List<string>(args);
        foreach (JsonProperty setting in settings.EnumerateObject())
        {
            Option known = command.Options.FirstOrDefault(o => o.Name == "--" + setting.Name && o != config)
                ?? throw new UsageException($"{path}: '{setting.Name}' is no setting of 'shear {command.Name}'.{NearMisses.Setting(setting.Name, command)} Members are the verb's options without their dashes.");
            if (parsed.GetResult(known) is { Implicit: false })
                continue;
            all.AddRange(Arguments(path, setting, known));
        }

        return all;
    }

    private static JsonDocument Read(string path)
    {
        JsonDocument document;
        try
        {
            document = SafeJson.Document(InputFile.Text(path), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, AllowDuplicateProperties = false });
        }
        catch (JsonException e)
        {
            throw new UsageException($"{path} is not valid JSON: {e.Message}", e);
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object)
            return document;
        document.Dispose();
        throw new UsageException($"{path}: expected a JSON object such as {{ \"steps\": 100, \"lr\": 1e-4 }}.");
    }

    private static IEnumerable<string> Arguments(string path, JsonProperty setting, Option option) => setting.Value.ValueKind switch
    {
        JsonValueKind.True when option.ValueType == typeof(bool) => [option.Name],
        JsonValueKind.False when option.ValueType == typeof(bool) => [],
        JsonValueKind.Null => [],
        JsonValueKind.String or JsonValueKind.Number when option.ValueType != typeof(bool) => [option.Name, setting.Value.ToString()],
        JsonValueKind.Array when option.ValueType == typeof(string[]) && setting.Value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String) =>
            setting.Value.EnumerateArray().SelectMany(v => new[] { option.Name, v.Text() }),
        _ => throw new UsageException($"{path}: '{setting.Name}' is {setting.Value.GetRawText()}; expected {Expected(option)}."),
    };

    private static string Expected(Option option) =>
        option.ValueType == typeof(bool) ? "true or false" : option.ValueType == typeof(string[]) ? "an array of texts" : "a number or a text";
}
