// What a shell is offered, through the directive that the scripts of `shear completion` use.
using System.Diagnostics;

namespace LlmShearing.Cli.Tests;

public sealed class CompletionTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData("", "prune", "tokenize", "completion")]
    [InlineData("ev", "eval")]
    [InlineData("score x --scorer ", "block-perplexity", "taylor", "random")]
    [InlineData("score x --scorer tay", "taylor")]
    [InlineData("score x --axes layers,", "layers,hidden")]
    [InlineData("learn x --masks ", "hidden", "intermediate")]
    [InlineData("eval x --device ", "auto", "cpu", "cuda")]
    [InlineData("eval x --compute ", "auto", "bfloat16", "float32")]
    [InlineData("tune x --template ", "alpaca-lora", "chatml")]
    [InlineData("eval x --protocol ", "shortened-llama", "strided")]
    [InlineData("convert x --dtype b", "bfloat16")]
    [InlineData("eval x --pro", "--protocol")]
    [InlineData("completion ", "bash", "zsh", "fish", "pwsh")]
    public void Suggest_Values_AreOffered(string line, params string[] expected)
    {
        string[] offered = Offered(line);
        Assert.All(expected, e => Assert.Contains(e, offered));
    }

    [Theory]
    [InlineData("inspect ")]
    [InlineData("apply x --plan ")]
    [InlineData("train x --out ")]
    [InlineData("eval x --file ")]
    [InlineData("run ")]
    [InlineData("tokenize ")]
    public void Suggest_Paths_AreOfferedWhereOneIsWanted(string verb)
    {
        _scratch.Write("plan.json", "{}");
        Directory.CreateDirectory(_scratch["planned"]);
        string begun = _scratch["pl"];
        string[] offered = Offered(verb + begun);
        string[] wanted = [_scratch["plan.json"], _scratch["planned"] + "/"];
        Assert.Equal(wanted, offered.Where(o => o.StartsWith(begun, StringComparison.Ordinal)));
        Assert.DoesNotContain(Offered(verb + _scratch["absent/"]), o => o.Contains("absent", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("fish")]
    [InlineData("pwsh")]
    public void Completion_EveryShell_HasAScript(string shell)
    {
        ShearResult result = Shear.Run("completion", shell);
        Assert.Equal(0, result.Code);
        Assert.Contains("[suggest:", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Completion_AnotherShell_IsRefused() =>
        Assert.Contains("there is no script for 'fissh': give one of bash, zsh, fish, pwsh. Did you mean 'fish'?", Shear.Run("completion", "fissh").Error, StringComparison.Ordinal);

    // A stand-in for the tool shows what the script hands over and does with the answer.
    [Fact]
    public void Completion_Bash_HandsOverTheLineAndOffersTheAnswer()
    {
        if (!File.Exists("/bin/bash"))
            return;
        string script = _scratch.Write("test.sh", Shear.Run("completion", "bash").Out + """

            shear() { echo "$1|$2" >&3; printf 'taylor\ntaylor-two\n'; }
            COMP_LINE='shear score x --scorer tay'; COMP_POINT=${#COMP_LINE}; COMP_WORDS=(shear score x --scorer tay); COMP_CWORD=4
            exec 3>&1
            _shear_complete 2>/dev/null
            echo "${COMPREPLY[*]}"
            """);
        using Process bash = Process.Start(new ProcessStartInfo("/bin/bash", [script]) { RedirectStandardOutput = true })!;
        string output = bash.StandardOutput.ReadToEnd();
        bash.WaitForExit();
        Assert.Equal("[suggest:20]|score x --scorer tay\ntaylor taylor-two\n", output);
    }

    private static string[] Offered(string line) => Shear.Run($"[suggest:{line.Length}]", line).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
