namespace LlmShearing;

/// <summary>Turns scores into a plan for a target shape. Pure: no tensors, no randomness, no input or output; ties go to the lower index.</summary>
public interface IPruningStrategy
{
    /// <summary>Axes for which <see cref="CreatePlan"/> may need scores.</summary>
    PruningAxes RequiredAxes { get; }

    /// <summary>Axes needed to get from one shape to another; fewer than <see cref="RequiredAxes"/> when some dimensions stay.</summary>
    /// <param name="source">Shape of the model.</param>
    /// <param name="target">Shape wanted.</param>
    /// <returns>A subset of <see cref="RequiredAxes"/>; by default all of them.</returns>
    PruningAxes RequiredAxesFor(LlamaShape source, LlamaShape target) => RequiredAxes;

    /// <summary>Chooses the units that stay.</summary>
    /// <param name="target">The shape wanted.</param>
    /// <param name="scores">Importance of every unit; larger means keep. Names the source shape.</param>
    /// <returns>A valid plan from the scores' source shape to <paramref name="target"/>.</returns>
    /// <exception cref="PlanException">The target cannot be reached from the source.</exception>
    /// <exception cref="ScoringException">A required axis has no scores.</exception>
    PruningPlan CreatePlan(LlamaShape target, ImportanceScores scores);
}
