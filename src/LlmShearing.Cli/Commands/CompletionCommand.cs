// shear completion: the few lines by which a shell asks the tool what may come next.
using System.CommandLine;
using LlmShearing.Cli.Terminal;

namespace LlmShearing.Cli.Commands;

internal sealed class CompletionCommand : Command
{
    // Each hands over what stands between the tool's name and the cursor, and offers the lines that come back.
    private static readonly Dictionary<string, string> Scripts = new(StringComparer.Ordinal)
    {
        ["bash"] = """
            _shear_complete() {
                local line="${COMP_LINE:0:COMP_POINT}" word="${COMP_WORDS[COMP_CWORD]}"
                line="${line#* }"
                local IFS=$'\n'
                COMPREPLY=($(compgen -W "$(shear "[suggest:${#line}]" "$line" 2>/dev/null)" -- "$word"))
                [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
            }
            complete -o default -F _shear_complete shear
            """,
        ["zsh"] = """
            #compdef shear
            _shear_complete() {
                local line="${LBUFFER#* }"
                local -a found
                found=("${(@f)$(shear "[suggest:${#line}]" "$line" 2>/dev/null)}")
                compadd -Q -S '' -- ${found:#-*}
                compadd -- ${(M)found:#-*}
            }
            compdef _shear_complete shear
            """,
        ["fish"] = """
            function __shear_complete
                set -l line (commandline -cp | string replace -r '^\s*\S+\s' '')
                shear "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
            end
            complete -c shear -f -a '(__shear_complete)'
            """,
        ["pwsh"] = """
            Register-ArgumentCompleter -Native -CommandName shear -ScriptBlock {
                param($word, $ast, $cursor)
                $line = ($ast.ToString().PadRight($cursor).Substring(0, $cursor)) -replace '^\s*\S+\s', ''
                shear "[suggest:$($line.Length)]" "$line" 2>$null | ForEach-Object {
                    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
                }
            }
            """,
    };

    public CompletionCommand(Surroundings surroundings)
        : base("completion", "Prints a script that completes verbs, options, values and paths in a shell.")
    {
        var shell = new Argument<string>("SHELL") { Description = string.Join(", ", Scripts.Keys) + "." };
        shell.CompletionSources.Add([.. Scripts.Keys]);
        shell.Validators.Add(result =>
        {
            string name = result.GetValueOrDefault<string>() ?? "";
            if (!Scripts.ContainsKey(name))
                result.AddError($"there is no script for '{name}': give one of {string.Join(", ", Scripts.Keys)}.{NearMisses.Value(name, Scripts.Keys)}");
        });
        Arguments.Add(shell);
        SetAction(parsed => surroundings.Out.WriteLine(Scripts[parsed.GetRequiredValue(shell)]));
    }
}
