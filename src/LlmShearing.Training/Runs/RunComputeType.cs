using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace LlmShearing.Training.Runs;

/// <summary>The type that a run was begun with.</summary>
public static class RunComputeType
{
    /// <summary>The type that a training run computes in. A run must go on in the type that it was begun with, whatever "auto" comes to where it goes on.</summary>
    /// <param name="runFolder">Folder of the run.</param>
    /// <returns>Null when there is no run in the folder, or its run.json does not say.</returns>
    public static ScalarType? OfRun(string runFolder)
    {
        ArgumentException.ThrowIfNullOrEmpty(runFolder);
        return RunFolder.ReadDescription(runFolder)?["configuration"] is JsonObject configuration && configuration["trainable"] is JsonObject trainable
            && Enum.TryParse(trainable["dtype"]?.ToString(), out ScalarType type) ? type : null;
    }
}
