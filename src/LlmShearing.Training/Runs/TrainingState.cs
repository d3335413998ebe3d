// What a training checkpoint knows besides tensors.
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using LlmShearing.Json;
using LlmShearing.Training.Steps;

namespace LlmShearing.Training.Runs;

/// <summary>
/// state.json of a checkpoint. There is no state of random generators in it: all random numbers of training derive from the seed of the run, the
/// step and the micro-batch (<see cref="MicroBatchKey"/>), and those of the data are part of <see cref="Data"/>.
/// </summary>
internal sealed record TrainingState
{
    /// <summary>Version of this format.</summary>
    public const int CurrentFormat = 1;

    public required int Format { get; init; }

    /// <summary>Version of the library that wrote it.</summary>
    public required string Library { get; init; }

    /// <summary>Steps done.</summary>
    public required long Step { get; init; }

    /// <summary>Tokens that went through the model, and predictions that counted.</summary>
    public required long Tokens { get; init; }

    public required long ScoredTokens { get; init; }

    public required long SkippedSteps { get; init; }

    public required int ConsecutiveSkips { get; init; }

    /// <summary>Loss of the last step that was not left out.</summary>
    public required double? Loss { get; init; }

    public required EvaluationLosses? Evaluation { get; init; }

    public required EvaluationLosses? Best { get; init; }

    /// <summary>Evaluations since the best one.</summary>
    public required int EvaluationsWithoutGain { get; init; }

    /// <summary>Seconds of training so far; the one member that depends on the clock.</summary>
    public required double ElapsedSeconds { get; init; }

    /// <summary>Updates that each parameter has had, by name.</summary>
    public required IReadOnlyDictionary<string, long> OptimizerSteps { get; init; }

    /// <summary>Shares of the domains, for tools; what the data go on with is in <see cref="Data"/>. Absent without domains.</summary>
    public IReadOnlyDictionary<string, double>? Proportions { get; init; }

    /// <summary>What <see cref="ITrainingData.Save"/> gave after the last micro-batch of the step.</summary>
    public required JsonObject Data { get; init; }

    /// <summary>The configuration it was made under; see <see cref="RunConfiguration"/>.</summary>
    public required JsonObject Configuration { get; init; }

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, TrainingJson.Default.TrainingState);

    /// <exception cref="FormatException">It is not a state of this format.</exception>
    public static TrainingState FromJson(ReadOnlyMemory<byte> json)
    {
        try
        {
            TrainingState state = SafeJson.Read(json, TrainingJson.Default.TrainingState) ?? throw new FormatException("it is null.");
            return state.Format == CurrentFormat
                ? state
                : throw new FormatException($"it has format {state.Format}; this version reads {CurrentFormat}.");
        }
        catch (JsonException e)
        {
            throw new FormatException(e.Message, e);
        }
    }
}

/// <summary>Size and checksum of a file of a checkpoint.</summary>
internal sealed record CheckpointFile(long Bytes, uint Crc32c);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    WriteIndented = true)]
[JsonSerializable(typeof(TrainingState))]
[JsonSerializable(typeof(SortedDictionary<string, CheckpointFile>))]
internal sealed partial class TrainingJson : JsonSerializerContext
{
}

/// <summary>Settings under the names that they have in code, which are also those by which a change is allowed.</summary>
[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
[JsonSerializable(typeof(TrainingRunOptions))]
internal sealed partial class SettingsJson : JsonSerializerContext
{
}
