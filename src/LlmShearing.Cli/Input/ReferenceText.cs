// Text that is on every machine with a .NET SDK: the reference documentation beside its assemblies, tags taken out.
// The demo calibrates, trains and evaluates on it, so that nothing has to be downloaded or committed.
using System.Runtime.InteropServices;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using LlmShearing.Cli.Terminal;

namespace LlmShearing.Cli.Input;

/// <param name="Source">Where the text comes from, for the report.</param>
/// <param name="Calibration">Text to score on.</param>
/// <param name="Evaluation">Other text, to measure on.</param>
/// <param name="Training">More text, to recover on; none of it is in the evaluation.</param>
internal sealed record ReferenceText(string Source, string Calibration, string Evaluation, string Training)
{
    private const string CalibrationFile = "System.Collections.xml";
    private const string EvaluationFile = "System.Net.Sockets.xml";

    private static readonly string[] TrainingFiles =
        [CalibrationFile, "System.Linq.xml", "System.Net.Http.xml", "System.Threading.xml", "System.Text.Json.xml", "System.Collections.Immutable.xml", "System.Diagnostics.Process.xml"];

    /// <summary>The SDK's documentation; where an SDK has none, the Markdown files of <paramref name="fallbackFolder"/>.</summary>
    public static ReferenceText Find(string? fallbackFolder)
    {
        foreach (string pack in Packs())
        {
            string calibration = Path.Combine(pack, CalibrationFile), evaluation = Path.Combine(pack, EvaluationFile);
            if (File.Exists(calibration) && File.Exists(evaluation))
                return Of(pack, Plain(calibration), Plain(evaluation));
        }

        return FromMarkdown(fallbackFolder ?? throw new UsageException("This .NET SDK has no reference documentation. Give --text-folder with some Markdown files."));
    }

    // Descriptions that inherited members repeat are left out of the training text when the evaluation has them.
    private static ReferenceText Of(string pack, string calibration, string evaluation)
    {
        var known = evaluation.Split('\n').ToHashSet(StringComparer.Ordinal);
        IEnumerable<string> lines = TrainingFiles.Select(f => Path.Combine(pack, f)).Where(File.Exists).SelectMany(f => Plain(f).Split('\n'));
        return new ReferenceText(
            $"documentation in the .NET reference pack: {CalibrationFile} to calibrate, {EvaluationFile} to evaluate",
            calibration, evaluation, string.Join('\n', lines.Where(l => !known.Contains(l)).Distinct(StringComparer.Ordinal)));
    }

    // dotnet/packs/Microsoft.NETCore.App.Ref/10.0.1/ref/net10.0, newest first. The runtime lies in dotnet/shared/Microsoft.NETCore.App/10.0.1/.
    private static IEnumerable<string> Packs()
    {
        string root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "packs", "Microsoft.NETCore.App.Ref"));
        return !Directory.Exists(root) ? []
            : Directory.EnumerateDirectories(root)
                .OrderByDescending(d => Version.TryParse(Path.GetFileName(d), out Version? v) ? v : new Version(0, 0))
                .Select(d => Path.Combine(d, "ref"))
                .Where(Directory.Exists)
                .SelectMany(d => Directory.EnumerateDirectories(d).OrderDescending(StringComparer.Ordinal));
    }

    private static ReferenceText FromMarkdown(string folder)
    {
        string[] files = Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder, "*.md", SearchOption.AllDirectories).Order(StringComparer.Ordinal)] : [];
        string[] lines = [.. files.SelectMany(File.ReadLines).Where(l => l.Length > 0)];
        if (lines.Length < 2)
            throw new UsageException($"'{folder}' has no Markdown files to read.");
        int half = lines.Length / 2;
        string first = string.Join('\n', lines[..half]);
        return new ReferenceText("Markdown files", first, string.Join('\n', lines[half..]), first);
    }

    /// <summary>One line for every different description in the file.</summary>
    private static string Plain(string path)
    {
        try
        {
            return string.Join('\n', XDocument.Load(path).Descendants("member").SelectMany(m => m.Elements()).Select(Words).Where(l => l.Length > 40).Distinct(StringComparer.Ordinal));
        }
        catch (XmlException e)
        {
            throw new UsageException($"'{path}' is not readable XML: {e.Message}", e);
        }
    }

    private static string Words(XElement element)
    {
        var text = new StringBuilder();
        foreach (XNode node in element.DescendantNodes())
        {
            if (node is XText words)
                text.Append(words.Value);
            else if (node is XElement { IsEmpty: true } reference)
                text.Append(Name(reference));
        }

        return string.Join(' ', text.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    // <see cref="T:System.Collections.BitArray" /> reads "BitArray", <paramref name="length" /> reads "length".
    private static string Name(XElement reference)
    {
        string name = (reference.Attribute("cref") ?? reference.Attribute("name") ?? reference.Attribute("langword"))?.Value ?? "";
        return name.Split('(')[0].Split('.')[^1];
    }
}
