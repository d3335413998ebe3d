// What the traps cannot see, a look at the source can: memory and numbers of tensors are read in known places, and the CPU is named in known places.
using System.Text.RegularExpressions;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Devices;

public partial class SourceRulesTests
{
    // Files that may take a tensor to be on the CPU, and why.
    private static readonly Dictionary<string, string> OnTheCpu = new()
    {
        ["HostValues.cs"] = "copies to the CPU first",
        ["HostMemory.cs"] = "checks the device",
        ["WeightMemory.cs"] = "checks the device",
        ["LinearProduct.cs"] = "checks the device",
        ["ComputeDevice.cs"] = "names devices",
        ["ComputeType.cs"] = "names devices",
        ["TorchRuntime.cs"] = "loads the native library",
        ["CrossEntropy.cs"] = "asks for the device to choose a size",
        ["LlamaModel.cs"] = "default device",
        ["LlamaModel.Random.cs"] = "random numbers are drawn on the CPU",
        ["LlamaGates.cs"] = "default device",
        ["LlamaGates.Values.cs"] = "default device",
        ["StateMap.cs"] = "default device",
        ["StreamedLlama.cs"] = "reads on the CPU, then moves",
        ["StreamedBlocks.cs"] = "reads on the CPU, then moves",
        ["StreamedRows.cs"] = "reads on the CPU, then moves",
        ["LlamaModelLoader.cs"] = "reads on the CPU, then moves",
        ["LlamaModelSaver.cs"] = "copies to the CPU first",
        ["TensorFile.cs"] = "copies from and to the CPU",
        ["FrozenWeights.cs"] = "copies to the CPU first",
        ["AngularDistanceScorer.cs"] = "float64 numbers are made on the CPU",
        ["LoraAdapter.cs"] = "random numbers are drawn on the CPU",
        ["DropoutMask.cs"] = "masks are drawn on the CPU, then moved",
        ["LoraMerge.cs"] = "works on files",
        ["LoraAttachment.cs"] = "writes files",
        ["PeftFolder.cs"] = "works on files",
        ["MaskState.cs"] = "masks live on the CPU",
        ["StudentModel.cs"] = "reads one boolean",
    };

    // Files that may make, move or remove files themselves, and why.
    private static readonly Dictionary<string, string> FileMakers = new()
    {
        ["FileSteps.cs"] = "the place itself",
        ["OutputFiles.cs"] = "keeps the options that it gives to FileSteps",
        ["TokenShardWriter.cs"] = "gives its mode to FileSteps",
    };

    [Fact]
    public void Source_ReadsTensorsInKnownPlacesOnly()
    {
        var strays = Lines().Where(l => Reading().IsMatch(l.Text) && !OnTheCpu.ContainsKey(l.File)).Select(l => $"{l.File}({l.Number}): {l.Text.Trim()}");
        Assert.True(!strays.Any(), "Use HostValues or HostMemory: " + string.Join("; ", strays));
    }

    [Fact]
    public void Source_NewTensorsNameTheirDevice()
    {
        var strays = Lines().Where(l => Making().IsMatch(l.Text) && !l.Text.Contains("device", StringComparison.Ordinal)).Select(l => $"{l.File}({l.Number}): {l.Text.Trim()}");
        Assert.True(!strays.Any(), "Give a device: " + string.Join("; ", strays));
    }

    [Fact]
    public void Source_MultipliesWithWhatThrows()
    {
        // matmul ends the process when shapes do not fit; mm, addmm and linear throw.
        var strays = Lines().Where(l => l.Text.Contains(".matmul(", StringComparison.Ordinal) || l.Text.Contains(".cummax(", StringComparison.Ordinal)).Select(l => $"{l.File}({l.Number})");
        Assert.Empty(strays);
    }

    [Fact]
    public void Source_AsksForSizesAndTimesBehindLinks()
    {
        // FileInfo and the time of a path tell about a symbolic link, not about the file that is read through it.
        var strays = Lines().Where(l => LinkFacts().IsMatch(l.Text) && l.File is not ("FileFacts.cs" or "LinkedPath.cs" or "FileSteps.cs")).Select(l => $"{l.File}({l.Number}): {l.Text.Trim()}");
        Assert.True(!strays.Any(), "Use FileFacts: " + string.Join("; ", strays));
    }

    [Fact]
    public void Source_MakesMovesAndRemovesFilesInOnePlace()
    {
        // Tests stop the world before and after each step of FileSteps; a call past it is one that no test of kills has seen.
        var strays = Lines().Where(l => FileCalls().IsMatch(l.Text) && !l.Text.Contains("FileSteps.Create(", StringComparison.Ordinal) && !FileMakers.ContainsKey(l.File)).Select(l => $"{l.File}({l.Number}): {l.Text.Trim()}");
        Assert.True(!strays.Any(), "Use FileSteps, AtomicFile or AtomicOutput: " + string.Join("; ", strays));
    }

    private static IEnumerable<(string File, int Number, string Text)> Lines() =>
        Directory.GetFiles(Path.Combine(Goldens.RepositoryRoot, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal) && !f.Contains($"{Path.DirectorySeparatorChar}build{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .SelectMany(f => File.ReadLines(f).Select((text, i) => (Path.GetFileName(f), i + 1, Comment().Replace(Quoted().Replace(text, "\"\""), ""))));

    [GeneratedRegex(@"\b(FileInfo|DirectoryInfo|FileSystemInfo)\b|\bGet(LastWrite|Creation|LastAccess)Time|\bLastWriteTime")]
    private static partial Regex LinkFacts();

    [GeneratedRegex(@"\bFile\.(Move|Delete|Replace|Copy|Create|CreateText|CreateSymbolicLink|WriteAll\w+|Append\w+|OpenWrite)\(|\bDirectory\.(Move|Delete|Create\w+)\(|\bFileMode\.(Create|CreateNew|OpenOrCreate|Append|Truncate)\b|\bnew StreamWriter\((?!stream\b)")]
    private static partial Regex FileCalls();

    [GeneratedRegex(@"""[^""]*""")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"//.*$")]
    private static partial Regex Comment();

    [GeneratedRegex(@"\.data<|(?<!\.)\.bytes\b|\.item<|\.cpu\(\)|\bCPU\b|new Generator\(")]
    private static partial Regex Reading();

    [GeneratedRegex(@"(?<![\w.>])(tensor|zeros|empty|ones|full|arange|rand|randn|randint|randperm|eye|linspace)\((?!\))")]
    private static partial Regex Making();
}
