// One run of one verb: its options' values, its progress line, and the two ways to give a result.
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Options;
using Microsoft.Extensions.Logging;
using Spectre.Console;

namespace LlmShearing.Cli.Terminal;

internal sealed class Invocation(Surroundings surroundings, CommonOptions common, ParseResult parsed, ProgressPrinter progress, CancellationToken cancellation)
{
    // Token text and paths stay readable; the output is no HTML.
    private static readonly JsonSerializerOptions JsonStyle = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private NoteLogger? _log;

    public Surroundings Surroundings => surroundings;

    public CancellationToken Cancellation => cancellation;

    public ProgressPrinter Progress => progress;

    public bool Json => parsed.GetValue(common.Json);

    /// <summary>Whether the result has been given: with --json nothing may follow it.</summary>
    public bool HasResult { get; private set; }

    public T? Get<T>(Option<T> option) => parsed.GetValue(option);

    /// <summary>An argument that may be left out.</summary>
    public T? GetOptional<T>(Argument<T> argument) => parsed.GetValue(argument);

    public T Get<T>(Argument<T> argument) => parsed.GetRequiredValue(argument);

    /// <summary>Whether the user wrote the option, as against its default.</summary>
    public bool IsGiven(Option option) => parsed.GetResult(option) is { Implicit: false };

    /// <summary>The command line again, verb first, without some options and their values.</summary>
    public string[] Without(params Option[] options)
    {
        Option[] left = [.. options, common.Json, common.Quiet];
        var kept = new List<string> { parsed.CommandResult.Command.Name };
        bool dropping = false;
        foreach (Token token in parsed.Tokens)
        {
            if (token.Type == TokenType.Option)
                dropping = left.Any(o => o.Name == token.Value || o.Aliases.Contains(token.Value));
            if (token.Type is TokenType.Option or TokenType.Argument && !dropping)
                kept.Add(token.Value);
            if (token.Type == TokenType.Option && dropping && left.First(o => o.Name == token.Value || o.Aliases.Contains(token.Value)).ValueType == typeof(bool))
                dropping = false;
        }

        return [.. kept];
    }

    /// <summary>Gives the result: one JSON object with --json, else tables and text.</summary>
    public void Result(Func<JsonObject> json, Action<IAnsiConsole> human)
    {
        progress.Clear();
        if (Json)
            surroundings.Out.WriteLine(WithWarnings(json()).ToJsonString(JsonStyle));
        else
            human(surroundings.CreateConsole());
        surroundings.Out.Flush();
        HasResult = true;
    }

    private JsonObject WithWarnings(JsonObject json)
    {
        if (Warnings.Count == 0)
            return json;
        if (json["warnings"] is not JsonArray all)
            json["warnings"] = all = [];
        foreach (string warning in Warnings)
            all.Add(warning);
        return json;
    }

    /// <summary>What the library warned of in this run.</summary>
    public IReadOnlyList<string> Warnings => Notes.Warnings;

    /// <summary>Takes the library's warnings: they are said as notes, and kept for --json.</summary>
    public ILogger Log => Notes;

    private NoteLogger Notes => _log ??= new NoteLogger(Note);

    /// <summary>Says something on standard error, unless --quiet.</summary>
    public void Note(string message)
    {
        if (parsed.GetValue(common.Quiet))
            return;
        progress.Clear();
        surroundings.Error.WriteLine(message);
    }
}
