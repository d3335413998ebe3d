// What the shell offers while a command line is typed. Scripts for shells: CompletionCommand.
using System.CommandLine;
using System.CommandLine.Completions;

namespace LlmShearing.Cli.Options;

internal static class Completions
{
    private const int MaxEntries = 500;

    /// <summary>Help names of options that want a path.</summary>
    private static readonly string[] PathNames = ["FILE", "FOLDER", "DIR", "MODEL"];

    /// <summary>Files and folders for options whose help name says so.</summary>
    public static void AddPaths(Option option)
    {
        if (PathNames.Contains(option.HelpName))
            option.CompletionSources.Add(Paths);
    }

    /// <summary>Files and folders for every argument of a verb: MODEL, ROWS, RECIPE, INPUT.</summary>
    public static void AddPaths(Command command)
    {
        foreach (Argument argument in command.Arguments.Where(a => a.CompletionSources.Count == 0))
        {
            argument.CompletionSources.Add(Paths);
            // Without a name of its own the help would list the files of the current folder.
            argument.HelpName ??= argument.Name;
        }
    }

    /// <summary>Names in a list with commas: the last one is completed.</summary>
    public static Option<T> List<T>(Option<T> option, IEnumerable<string> names)
    {
        option.CompletionSources.Add(context =>
        {
            string begun = context.WordToComplete[..(context.WordToComplete.LastIndexOf(',') + 1)];
            return names.Where(n => !begun.Split(',').Contains(n)).Select(n => new CompletionItem(begun + n));
        });
        return option;
    }

    private static IEnumerable<CompletionItem> Paths(CompletionContext context)
    {
        string word = context.WordToComplete;
        int end = word.LastIndexOf('/') + 1;
        if (OperatingSystem.IsWindows())
            end = Math.Max(end, word.LastIndexOf('\\') + 1);
        (string folder, string name) = (word[..end], word[end..]);
        try
        {
            var entries = Directory.EnumerateFileSystemEntries(folder.Length == 0 ? "." : folder)
                .Select(e => Path.GetFileName(e))
                .Where(e => e.StartsWith(name, StringComparison.Ordinal) && (name.Length > 0 || !e.StartsWith('.')))
                .Take(MaxEntries)
                .Order(StringComparer.Ordinal);
            return [.. entries.Select(e => new CompletionItem(folder + e + (Directory.Exists(Path.Combine(folder, e)) ? "/" : "")))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or System.Security.SecurityException)
        {
            return [];   // a shell that asks wants names, not messages
        }
    }
}
