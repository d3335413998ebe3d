// Code in the README is code that compiles: each snippet equals the marked region of the sample it names.
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Packaging;

public class ReadmeTests
{
    [Fact]
    public void Readme_Snippets_EqualTheirSamples()
    {
        string[] lines = File.ReadAllLines(Path.Combine(Goldens.RepositoryRoot, "README.md"));
        int found = 0;
        for (int i = 0; i < lines.Length; i++)
        {
            if (!lines[i].StartsWith("<!-- snippet: ", StringComparison.Ordinal))
                continue;
            string sample = lines[i]["<!-- snippet: ".Length..^" -->".Length];
            Assert.Equal("```csharp", lines[i + 1]);
            string[] shown = [.. lines.Skip(i + 2).TakeWhile(l => l != "```")];
            Assert.Equal(Region(sample), shown);
            found++;
        }

        Assert.Equal(5, found);
    }

    // The lines between "// <snippet>" and "// </snippet>", without their common indent.
    private static string[] Region(string sample)
    {
        string[] lines = [.. File.ReadAllLines(Path.Combine(Goldens.RepositoryRoot, sample))
            .SkipWhile(l => !l.Contains("// <snippet>", StringComparison.Ordinal)).Skip(1)
            .TakeWhile(l => !l.Contains("// </snippet>", StringComparison.Ordinal))];
        int indent = lines.Where(l => l.Length > 0).Min(l => l.Length - l.TrimStart().Length);
        return [.. lines.Select(l => l.Length == 0 ? l : l[indent..])];
    }
}
