using LlmShearing.Training.Steps;

namespace LlmShearing.Training.Runs;

/// <summary>Held-out micro-batches of one domain.</summary>
/// <param name="Name">Name of the domain; unique in a run. Adaptive mixtures find their domains by it.</param>
/// <param name="Batches">The micro-batches; enumerated anew at each evaluation, so they must be the same each time.</param>
public sealed record EvaluationSet(string Name, IEnumerable<TrainingBatch> Batches);

/// <summary>Losses of one evaluation.</summary>
/// <param name="Step">Steps done when it took place.</param>
/// <param name="Loss">Mean negative log-likelihood over all scored tokens of all sets, in nats.</param>
/// <param name="Sets">Mean of each set, by name.</param>
/// <param name="Tokens">Scored tokens of all sets.</param>
public sealed record EvaluationLosses(long Step, double Loss, IReadOnlyDictionary<string, double> Sets, long Tokens);
