namespace LlmShearing;

/// <summary>Turns scores into a plan for a target shape. Pure: no tensors, no randomness, no input or output; ties go to the lower index.</summary>
public interface IPruningStrategy
{
    /// <summary>Axes for which <see cref="CreatePlan"/> needs scores.</summary>
    PruningAxes RequiredAxes { get; }

    /// <summary>Chooses the units that stay.</summary>
    /// <param name="target">The shape wanted.</param>
    /// <param name="scores">Importance of every unit; larger means keep. Names the source shape.</param>
    /// <returns>A valid plan from the scores' source shape to <paramref name="target"/>.</returns>
    /// <exception cref="PlanException">The target cannot be reached from the source.</exception>
    /// <exception cref="ScoringException">A required axis has no scores.</exception>
    PruningPlan CreatePlan(LlamaShape target, ImportanceScores scores);
}
