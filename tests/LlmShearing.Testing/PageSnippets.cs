// The code on a page is code that a test runs: between snippet marks there, in csharp blocks here.
using System.Runtime.CompilerServices;
using Xunit;

namespace LlmShearing.Testing;

/// <summary>Compares code on pages of docs/ with code in tests.</summary>
public static class PageSnippets
{
    /// <summary>Compares the blocks of a page of docs/ with the snippets of the calling test file, which are indented by 8.</summary>
    public static void AssertEqual(string page, [CallerFilePath] string tests = "")
    {
        List<string> snippets = Blocks(File.ReadAllLines(tests), l => l.Trim() == "// <snippet>", l => l.Trim() == "// </snippet>", 8);
        Assert.NotEmpty(snippets);
        Assert.Equal(snippets, Blocks(File.ReadAllLines(Path.Combine(Goldens.RepositoryRoot, "docs", page)), l => l == "```csharp", l => l == "```", 0));
    }

    private static List<string> Blocks(string[] lines, Predicate<string> begins, Predicate<string> ends, int indent)
    {
        var blocks = new List<string>();
        for (int i = 0; i < lines.Length; i++)
            if (begins(lines[i]))
                blocks.Add(string.Join("\n", lines.Skip(i + 1).TakeWhile(l => !ends(l)).Select(l => l[Math.Min(indent, l.Length)..])));
        return blocks;
    }
}
