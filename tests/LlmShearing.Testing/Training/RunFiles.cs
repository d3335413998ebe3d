using Xunit;
using System.Text;
using System.Text.Json.Nodes;

namespace LlmShearing.Testing.Training;

/// <summary>What a run left in its folder.</summary>
internal sealed class RunFiles(string folder)
{
    public string Folder => folder;

    public string Checkpoints => Path.Combine(folder, "checkpoints");

    public string[] Names() => [.. Directory.GetFileSystemEntries(Checkpoints).Select(p => Path.GetFileName(p)!).Order(StringComparer.Ordinal)];

    public byte[] FileOf(long step, string name) => File.ReadAllBytes(Path.Combine(Checkpoints, $"step-{step:d8}", name));

    /// <summary>The log without what depends on the clock.</summary>
    public string[] Log() => [.. File.ReadAllLines(Path.Combine(folder, "log.jsonl")).Select(l => Without(l, "time"))];

    /// <summary>The state of a checkpoint without what depends on the clock.</summary>
    public string StateOf(long step) => Without(Encoding.UTF8.GetString(FileOf(step, "state.json")), "elapsed_seconds");

    /// <summary>The final checkpoint and the log are those of another run, bit for bit.</summary>
    public void AssertEquals(RunFiles other, long step)
    {
        Assert.Equal(other.Log(), Log());
        Assert.Equal(other.StateOf(step), StateOf(step));
        Assert.Equal(other.FileOf(step, "weights.safetensors"), FileOf(step, "weights.safetensors"));
        Assert.Equal(other.FileOf(step, "optimizer.safetensors"), FileOf(step, "optimizer.safetensors"));
    }

    private static string Without(string json, string member)
    {
        JsonObject o = JsonNode.Parse(json)!.AsObject();
        Assert.True(o.Remove(member), json);
        return o.ToJsonString();
    }
}
