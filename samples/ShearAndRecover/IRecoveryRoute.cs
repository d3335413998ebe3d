namespace LlmShearing.Samples;

/// <summary>One way from a model to a smaller one that has been trained again. Registered under its name, which the configuration picks.</summary>
internal interface IRecoveryRoute
{
    /// <summary>Loads, shears, trains, measures and saves.</summary>
    /// <param name="text">Rows of token ids.</param>
    /// <param name="progress">Receives progress.</param>
    /// <param name="stopping">Stops at the next step; the same call goes on from there.</param>
    /// <returns>What it came to; null when it was stopped.</returns>
    RecoveryReport? Run(RecoveryText text, IProgress<ShearingProgress> progress, CancellationToken stopping);
}

/// <summary>What a route came to.</summary>
/// <param name="Change">What was cut.</param>
/// <param name="Before">Held-out perplexity of the model.</param>
/// <param name="Cut">Right after the cut.</param>
/// <param name="Recovered">After training.</param>
internal sealed record RecoveryReport(string Change, double Before, double Cut, double Recovered);
