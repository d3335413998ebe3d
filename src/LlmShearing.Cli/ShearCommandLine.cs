// The verbs of `shear`, and how a command line becomes an exit code.
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

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
            await surroundings.Error.WriteLineAsync("shear: " + e.Message).ConfigureAwait(false);
            return ExitCodes.BadInput;
        }

        var configuration = new InvocationConfiguration
        {
            Output = surroundings.Out,
            Error = surroundings.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,   // Program.cs turns Ctrl-C into cancellation and waits for the clean-up, however long
        };
        if (parsed.Action is not ParseErrorAction wrong)
        {
            int code = await parsed.InvokeAsync(configuration, cancellation).ConfigureAwait(false);
            return args.Count == 0 ? ExitCodes.BadInput : code;
        }

        // Suggestions belong to the error, not to the output.
        wrong.ShowHelp = false;
        configuration.Output = surroundings.Error;
        await parsed.InvokeAsync(configuration, cancellation).ConfigureAwait(false);
        string verb = parsed.CommandResult.Command is RootCommand ? "" : parsed.CommandResult.Command.Name + " ";
        await surroundings.Error.WriteLineAsync($"Run 'shear {verb}--help' for what is possible.").ConfigureAwait(false);
        return ExitCodes.BadInput;
    }

    public static RootCommand Create(Surroundings surroundings)
    {
        var root = new RootCommand("Makes LLaMA models smaller: scores blocks, heads and channels, plans what stays, cuts, recovers by training, and measures.");
        foreach (Command command in Commands(surroundings))
            root.Subcommands.Add(command);
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
