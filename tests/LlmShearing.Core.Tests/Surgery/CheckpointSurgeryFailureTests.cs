using LlmShearing.Checkpoints;
using LlmShearing.Core.Tests.Checkpoints;
using LlmShearing.Files;
using LlmShearing.Surgery;
using LlmShearing.Testing;

namespace LlmShearing.Core.Tests.Surgery;

/// <summary>Whatever goes wrong, the target is as it was and nothing else is left.</summary>
public sealed class CheckpointSurgeryFailureTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly PruningPlan _plan = PruningPlan.RemoveBlocks(CheckpointSurgeryTests.Tiny().Shape, [1]);

    public CheckpointSurgeryFailureTests() => CheckpointSurgeryTests.WriteRandom(Source, CheckpointSurgeryTests.Tiny(), 3);

    private string Source => _folder["source"];

    private string Target => _folder["target"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Apply_TargetExists_IsRefusedUnlessOverwriting()
    {
        CheckpointSurgery.Apply(Source, _plan, Target);
        byte[] old = File.ReadAllBytes(Path.Combine(Target, "model.safetensors"));
        Assert.Contains("exists", Assert.Throws<CheckpointException>(() => CheckpointSurgery.Convert(Source, Target)).Message);
        Assert.Equal(old, File.ReadAllBytes(Path.Combine(Target, "model.safetensors")));
        CheckpointSurgery.Convert(Source, Target, new() { Overwrite = true });
        Assert.NotEqual(old, File.ReadAllBytes(Path.Combine(Target, "model.safetensors")));
        AssertOnly("source", "target");
    }

    [Fact]
    public void Apply_OverwriteOfSomethingElse_IsRefused()
    {
        Directory.CreateDirectory(Target);
        _folder.File("target/precious.txt", [1]);
        Assert.Contains("no config.json", Assert.Throws<CheckpointException>(() => CheckpointSurgery.Apply(Source, _plan, Target, new() { Overwrite = true })).Message);
        Assert.True(File.Exists(_folder["target/precious.txt"]));
    }

    [Theory]
    [InlineData("source")]
    [InlineData("source/inside")]
    [InlineData(".")]
    public void Apply_TargetAndSourceContainEachOther_IsRefused(string target)
    {
        Assert.Contains("contain each other", Assert.Throws<CheckpointException>(() => CheckpointSurgery.Apply(Source, _plan, _folder[target], new() { Overwrite = true })).Message);
        AssertOnly("source");
    }

    [Fact]
    public void Apply_CancelledMidway_LeavesNothing()
    {
        using var cancel = new CancellationTokenSource();
        var progress = new Immediate(p =>
        {
            if (p.Completed > p.Total / 2)
                cancel.Cancel();
        });
        Assert.Throws<OperationCanceledException>(() => CheckpointSurgery.Apply(Source, _plan, Target, null, progress, cancel.Token));
        AssertOnly("source");
        Assert.InRange(progress.Count, 2, 15);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(4000)]
    [InlineData(10_000)]
    public void Apply_StreamFails_LeavesTheOldFolder(int bytes)
    {
        CheckpointSurgery.Apply(Source, _plan, Target);
        byte[] old = File.ReadAllBytes(Path.Combine(Target, "model.safetensors"));
        var files = new OutputFiles { Create = (path, _) => new FullDisk(path, bytes) };
        CheckpointException e = Assert.Throws<CheckpointException>(() => CheckpointSurgery.Convert(Source, Target, new() { Overwrite = true, Files = files }));
        Assert.Contains("No space left", e.Message);
        Assert.Contains("model.safetensors", e.Message);
        Assert.Equal(old, File.ReadAllBytes(Path.Combine(Target, "model.safetensors")));
        AssertOnly("source", "target");
    }

    [Fact]
    public void Write_ContentThrowsOrIsIncomplete_LeavesNothing()
    {
        LlamaConfig config = CheckpointSurgeryTests.Tiny();
        Assert.Throws<NotSupportedException>(() => LlamaCheckpointWriter.Write(Target, config, (t, _) => throw new NotSupportedException()));
        Assert.Throws<InvalidOperationException>(() => LlamaCheckpointWriter.Write(Target, config, (t, sink) => sink.WriteFloat32(new float[(int)t.ElementCount - 1])));
        Assert.Throws<InvalidOperationException>(() => LlamaCheckpointWriter.Write(Target, config, (t, sink) => sink.WriteFloat32(new float[(int)t.ElementCount + 1])));
        AssertOnly("source");
    }

    [Fact]
    public void Apply_Progress_CountsAllBytes()
    {
        var seen = new List<ShearingProgress>();
        CheckpointSurgery.Apply(Source, _plan, Target, null, new Immediate(seen.Add));
        using LlamaCheckpoint result = LlamaCheckpoint.Open(Target);
        Assert.Equal(result.Tensors.Count, seen.Count);
        Assert.Equal((result.TotalBytes, result.TotalBytes), (seen[^1].Completed, seen[^1].Total));
    }

    private void AssertOnly(params string[] names) =>
        Assert.Equal(names, Directory.GetFileSystemEntries(_folder.Path).Select(p => Path.GetFileName(p)).Order());

    private sealed class Immediate(Action<ShearingProgress> action) : IProgress<ShearingProgress>
    {
        public int Count { get; private set; }

        public void Report(ShearingProgress value)
        {
            Count++;
            action(value);
        }
    }
}
