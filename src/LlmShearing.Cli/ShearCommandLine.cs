// The verbs of `shear`, and how a command line becomes an exit code.
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using LlmShearing.Cli.Commands;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;

namespace LlmShearing.Cli;

internal static class ShearCommandLine
{
    /// <summary>Parses and runs <paramref name="args"/>.</summary>
    /// <returns>0 done, 1 failed or cancelled, 2 bad usage or input.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, Surroundings surroundings, CancellationToken cancellation = default)
    {
        RootCommand root = Create(surroundings);
        ParseResult parsed = root.Parse(args.Count == 0 ? ["--help"] : args);
        try
        {
            IReadOnlyList<string> expanded = ConfigFile.Expand(args, parsed);
            if (expanded != args)
                parsed = root.Parse(expanded);
        }
        catch (UsageException e)
        {
            return Wrong(surroundings, args, e.Message);
        }

        var configuration = new InvocationConfiguration
        {
            Output = surroundings.Out,
            Error = surroundings.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,   // Program.cs turns Ctrl-C into cancellation and waits for the clean-up, however long
        };
        string[] unknown = UnknownOptions(parsed, args);
        if (parsed.Action is not ParseErrorAction && unknown.Length == 0)
        {
            int code = await parsed.InvokeAsync(configuration, cancellation).ConfigureAwait(false);
            return args.Count == 0 ? ExitCodes.BadInput : code;
        }

        Command command = parsed.CommandResult.Command;
        string verb = command is RootCommand ? "" : command.Name + " ";
        return Wrong(surroundings, args, string.Join(' ', Mistakes(parsed, command, unknown)), $"Run 'shear {verb}--help' for what is possible.");
    }

    // Words that look like options and are none. The parser takes some of them for an argument, or for one more value of an option that may have several.
    private static string[] UnknownOptions(ParseResult parsed, IReadOnlyList<string> args)
    {
        IEnumerable<Token> taken = parsed.CommandResult.Children.Where(c => c is ArgumentResult or OptionResult { Option.Arity.MaximumNumberOfValues: > 1 }).SelectMany(c => c.Tokens);
        string[] before = [.. args.TakeWhile(a => a != "--")];
        return [.. parsed.UnmatchedTokens.Concat(taken.Select(t => t.Value)).Where(w => w.Length > 1 && w[0] == '-' && !char.IsAsciiDigit(w[1]) && before.Contains(w)).Distinct()];
    }

    // A word that is not known explains the others: its value has no place either, and what it should have been is missing.
    private static IEnumerable<string> Mistakes(ParseResult parsed, Command command, string[] unknownOptions)
    {
        IReadOnlyList<string> words = parsed.UnmatchedTokens;
        if (command is RootCommand && words.Count > 0)
            return [NearMisses.Unknown(words[0], command)];
        if (unknownOptions.Length > 0)
            return unknownOptions.Select(o => NearMisses.Unknown(o, command));
        return words.Count > 0 ? [NearMisses.Unknown(words[0], command)] : parsed.Errors.Select(e => e.Message).Distinct();
    }

    private static int Wrong(Surroundings surroundings, IEnumerable<string> args, string message, string? hint = null)
    {
        surroundings.Error.WriteLine("shear: " + message);
        if (hint is not null)
            surroundings.Error.WriteLine(hint);
        if (FailureReport.IsJsonWanted(args))
            new FailureReport(ExitCodes.BadInput, FailureReport.Usage, message).WriteJson(surroundings);
        return ExitCodes.BadInput;
    }

    public static RootCommand Create(Surroundings surroundings)
    {
        var root = new RootCommand("Makes LLaMA models smaller: scores blocks, heads and channels, plans what stays, cuts, recovers by training, and measures.");
        foreach (Command command in Commands(surroundings))
        {
            Completions.AddPaths(command);
            root.Subcommands.Add(command);
        }

        foreach (Option option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction help })
                option.Action = new HelpWithExamples(help);
            else if (option is VersionOption)
                option.Action = new PrintVersion();
        }

        return root;
    }

    private static IEnumerable<Command> Commands(Surroundings surroundings) =>
    [
        new InspectCommand(surroundings),
        new TokensCommand(surroundings),
        new TokenizeCommand(surroundings),
        new SplitCommand(surroundings),
        new ScoreCommand(surroundings),
        new PlanCommand(surroundings),
        new ApplyCommand(surroundings),
        new PruneCommand(surroundings),
        new EvalCommand(surroundings),
        new ReferenceLossCommand(surroundings),
        new GenerateCommand(surroundings),
        new RunCommand(surroundings),
        new LearnCommand(surroundings),
        new FoldCommand(surroundings),
        new TrainCommand(surroundings),
        new TuneCommand(surroundings),
        new MergeCommand(surroundings),
        new ConvertCommand(surroundings),
        new DemoCommand(surroundings),
        new CompletionCommand(surroundings),
    ];

    private sealed class HelpWithExamples(HelpAction inner) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            int code = inner.Invoke(parseResult);
            if (parseResult.CommandResult.Command is ShearCommand { Examples.Count: > 0 } command)
            {
                TextWriter output = parseResult.InvocationConfiguration.Output;
                output.WriteLine("Examples:");
                foreach (string example in command.Examples)
                    output.WriteLine("  " + example);
                output.WriteLine();
            }

            return code;
        }
    }

    private sealed class PrintVersion : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            parseResult.InvocationConfiguration.Output.WriteLine(LibraryVersion.Text);
            return ExitCodes.Ok;
        }
    }
}
