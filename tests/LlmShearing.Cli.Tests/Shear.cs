// Runs a command line in this process and catches what it prints.
using System.Text.Json;
using LlmShearing.Cli.Terminal;
using LlmShearing.Testing;

[assembly: CollectionBehavior(DisableTestParallelization = true)]   // tensor work uses all cores anyway

namespace LlmShearing.Cli.Tests;

internal sealed record ShearResult(int Code, string Out, string Error)
{
    /// <summary>Standard output as the one JSON object that it must be.</summary>
    public JsonElement Json
    {
        get
        {
            using JsonDocument document = JsonDocument.Parse(Out);
            return document.RootElement.Clone();
        }
    }
}

internal static class Shear
{
    /// <summary>The embedded demo model: 12 blocks, hidden 128, 4 query and 2 key/value heads, feed-forward 352, vocabulary 2048.</summary>
    public static string Demo { get; } = Path.Combine(Goldens.RepositoryRoot, "samples", "models", "demo-llama-2.5m");

    public static ShearResult Run(params string[] args) => Run(CancellationToken.None, args);

    public static ShearResult Run(CancellationToken cancellation, params string[] args) => Run(args, TimeProvider.System, cancellation);

    /// <summary>Presses Ctrl-C, so to speak, at the given report of progress.</summary>
    public static ShearResult CancelAtReport(int report, params string[] args)
    {
        using var cancellation = new CancellationTokenSource();
        return Run(args, new CancellingClock(cancellation, report), cancellation.Token);
    }

    /// <summary>Presses Ctrl-C at the first report of progress at which the condition holds.</summary>
    public static ShearResult CancelWhen(Func<bool> condition, params string[] args)
    {
        using var cancellation = new CancellationTokenSource();
        return Run(args, new WatchingClock(cancellation, condition), cancellation.Token);
    }

    private static ShearResult Run(string[] args, TimeProvider time, CancellationToken cancellation)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int code = ShearCommandLine.RunAsync(args, new Surroundings { Out = output, Error = error, Time = time }, cancellation).GetAwaiter().GetResult();
        return new ShearResult(code, output.ToString(), error.ToString());
    }

    /// <summary>Runs with --json and --quiet; expects success and nothing on standard error.</summary>
    public static JsonElement Json(params string[] args)
    {
        ShearResult result = Run([.. args, "--json", "--quiet"]);
        Assert.Equal("", result.Error);
        Assert.Equal(0, result.Code);
        return result.Json;
    }

    /// <summary>Expects exit code 2, nothing on standard output, and a message of at most two lines without a stack trace.</summary>
    public static string BadInput(params string[] args)
    {
        ShearResult result = Run([.. args, "--quiet"]);
        Assert.Equal(2, result.Code);
        Assert.Equal("", result.Out);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        return result.Error;
    }
}

/// <summary>A folder for the files of one test.</summary>
internal sealed class Scratch : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("shear-");

    public string this[string name] => Path.Combine(_folder.FullName, name);

    public IEnumerable<string> Names => _folder.EnumerateFileSystemInfos().Select(f => f.Name).Order(StringComparer.Ordinal);

    public string Write(string name, string content)
    {
        File.WriteAllText(this[name], content);
        return this[name];
    }

    /// <summary>An --ids file of pseudo-text: the same on every machine.</summary>
    public string Ids(string name = "ids.json", int rows = 3, int length = 24, int vocabulary = 2048)
    {
        uint state = 1;
        int Next() => (int)((state = (state * 1664525) + 1013904223) >> 8) % vocabulary;
        return Write(name, JsonSerializer.Serialize(Enumerable.Range(0, rows).Select(_ => Enumerable.Range(0, length).Select(_ => Next()).ToArray()).ToArray()));
    }

    public void Dispose() => _folder.Delete(recursive: true);
}

/// <summary>The progress printer looks at the clock at every report.</summary>
internal sealed class CancellingClock(CancellationTokenSource cancellation, int report) : TimeProvider
{
    private int _looks;

    public override long GetTimestamp()
    {
        // The first looks are those of the printer's and the verb's start.
        if (++_looks >= report + 2)
            cancellation.Cancel();
        return 0;
    }
}

/// <summary>Looks around whenever somebody looks at the clock.</summary>
internal sealed class WatchingClock(CancellationTokenSource cancellation, Func<bool> condition) : TimeProvider
{
    public override long GetTimestamp()
    {
        if (condition())
            cancellation.Cancel();
        return System.GetTimestamp();
    }
}
