using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Samples;

/// <summary>What this application shears and recovers, and with what.</summary>
internal sealed class RecoveryOptions
{
    /// <summary>Name of the <see cref="IRecoveryRoute"/> to take.</summary>
    [AllowedValues(BlocksRoute.Name, LearnedRoute.Name)]
    public string Route { get; set; } = BlocksRoute.Name;

    [Required]
    public string Model { get; set; } = "";

    /// <summary>Folder of Markdown files: calibration, training and held-out text.</summary>
    [Required]
    public string Text { get; set; } = "";

    [Required]
    public string Output { get; set; } = "";

    [Range(8, 8192)]
    public int RowLength { get; set; } = 128;

    /// <summary>Steps of training after the cut.</summary>
    [Range(1, 1_000_000)]
    public int Steps { get; set; } = 30;

    [Range(1, 1024)]
    public int BatchSize { get; set; } = 8;

    /// <summary>Rate of the adapters of the blocks route.</summary>
    [Range(1e-9, 1.0)]
    public double LearningRate { get; set; } = 1e-3;
}
