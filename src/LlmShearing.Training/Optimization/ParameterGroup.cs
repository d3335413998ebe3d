namespace LlmShearing.Training.Optimization;

/// <summary>Parameters that share the settings of the optimizer.</summary>
public sealed record ParameterGroup
{
    /// <summary>Name for logs, for example "matrices".</summary>
    public required string Name { get; init; }

    /// <summary>The parameters, in a fixed order.</summary>
    public required IReadOnlyList<TrainableParameter> Parameters { get; init; }

    /// <summary>Peak learning rate, above 0; the schedule multiplies it.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Weight decay.</summary>
    /// <value>Default: 0.</value>
    public double WeightDecay { get; init; }

    /// <summary>How weight decay is applied.</summary>
    public DecayKind Decay { get; init; } = DecayKind.Decoupled;

    /// <summary>Decay of the first moment.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the second moment.</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to the root of the second moment.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Gradient ascent: the gradient is negated first. For multipliers of constraints.</summary>
    public bool Maximize { get; init; }

    /// <summary>Whether these gradients stay out of the global norm and are not scaled by it. For parameters whose gradients are of another kind than those of weights.</summary>
    public bool Unclipped { get; init; }

    /// <summary>Matrices with weight decay and everything else without, under the settings of a run.</summary>
    /// <param name="parameters">Parameters in a fixed order.</param>
    /// <param name="options">Settings of the run.</param>
    /// <returns>The groups "matrices" and "vectors"; empty ones are left out.</returns>
    public static IReadOnlyList<ParameterGroup> Split(IEnumerable<TrainableParameter> parameters, OptimizerSettings options)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(options);
        List<TrainableParameter> all = [.. parameters];
        ParameterGroup Group(string name, IReadOnlyList<TrainableParameter> members, double decay) => new()
        {
            Name = name,
            Parameters = members,
            LearningRate = options.LearningRate,
            WeightDecay = decay,
            Decay = options.Decay,
            Beta1 = options.Beta1,
            Beta2 = options.Beta2,
            Epsilon = options.Epsilon,
        };
        return
        [
            .. new[]
            {
                Group("matrices", [.. all.Where(p => p.Value.shape.Length >= 2)], options.WeightDecay),
                Group("vectors", [.. all.Where(p => p.Value.shape.Length < 2)], 0),
            }.Where(g => g.Parameters.Count > 0),
        ];
    }
}
