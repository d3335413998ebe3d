// The result of scoring: numbers by axis, tied to the shape they were made for.
using System.Collections.Immutable;

namespace LlmShearing;

/// <summary>Importance of the units of one model, by axis. Larger means keep. Infinity is allowed, NaN is refused.</summary>
public sealed record ImportanceScores
{
    private readonly ImmutableDictionary<PruningAxes, ImmutableArray<ImmutableArray<double>>> _axes =
        ImmutableDictionary<PruningAxes, ImmutableArray<ImmutableArray<double>>>.Empty;

    /// <summary>Creates an empty set of scores.</summary>
    /// <param name="source">Shape of the scored model.</param>
    /// <param name="scorer">Name of the criterion, for provenance.</param>
    public ImportanceScores(LlamaShape source, string scorer)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentException.ThrowIfNullOrEmpty(scorer);
        (Source, Scorer) = (source, scorer);
    }

    /// <summary>Shape of the scored model.</summary>
    public LlamaShape Source { get; }

    /// <summary>Name of the criterion.</summary>
    public string Scorer { get; }

    /// <summary>
    /// Scores of contiguous windows of blocks: entry n-1 has one value for every start at which a window of n blocks may be removed;
    /// NaN marks a start that the criterion does not offer. Uninitialised for criteria that score single blocks only.
    /// </summary>
    public ImmutableArray<ImmutableArray<double>> BlockWindows { get; init; }

    /// <summary>Axes that have scores.</summary>
    public PruningAxes Axes => _axes.Keys.Aggregate(PruningAxes.None, (a, b) => a | b);

    /// <summary>One number per block: <see cref="PruningAxes.Layers"/>.</summary>
    /// <exception cref="ScoringException">This set has no block scores.</exception>
    public ImmutableArray<double> Layers => this[PruningAxes.Layers][0];

    /// <summary>
    /// Scores of one axis. Hidden, Layers, Attention and Mlp have one row; QueryHeads, KeyValueGroups and Intermediate have one row per layer.
    /// </summary>
    /// <param name="axis">A single axis.</param>
    /// <exception cref="ScoringException">This set has no scores for the axis.</exception>
    public ImmutableArray<ImmutableArray<double>> this[PruningAxes axis] =>
        _axes.TryGetValue(axis, out ImmutableArray<ImmutableArray<double>> rows)
            ? rows
            : throw new ScoringException($"The scores of '{Scorer}' have no {axis} axis; they have: {Axes}. Score that axis, or use a strategy that does not need it.");

    /// <summary>Whether <paramref name="axis"/> has scores.</summary>
    /// <param name="axis">A single axis.</param>
    /// <returns>True when present.</returns>
    public bool Has(PruningAxes axis) => _axes.ContainsKey(axis);

    /// <summary>A copy with one axis added or replaced.</summary>
    /// <param name="axis">A single axis.</param>
    /// <param name="rows">One row, or one row per layer; lengths must agree with <see cref="Source"/>.</param>
    /// <returns>New scores.</returns>
    /// <exception cref="ScoringException">The lengths do not agree with the source shape, or a value is NaN.</exception>
    public ImportanceScores With(PruningAxes axis, IEnumerable<IEnumerable<double>> rows)
    {
        ImmutableArray<ImmutableArray<double>> table = [.. rows.Select(r => r.ToImmutableArray())];
        int expectedRows = IsPerLayer(axis) ? Source.Layers.Length : 1;
        if (table.Length != expectedRows)
            throw new ScoringException($"{axis} scores have {table.Length} rows; the model needs {expectedRows}.");
        for (int r = 0; r < table.Length; r++)
        {
            int expected = RowLength(axis, r);
            if (table[r].Length != expected)
                throw new ScoringException($"{axis} scores of row {r} have {table[r].Length} values; the model has {expected} units there.");
            for (int i = 0; i < table[r].Length; i++)
                if (double.IsNaN(table[r][i]))
                    throw new ScoringException($"The {axis} score of unit {i} in row {r} is not a number. Check the model's weights and the calibration data.");
        }

        return new ImportanceScores(this, _axes.SetItem(axis, table));
    }

    /// <summary>A copy with one single-row axis added or replaced.</summary>
    /// <param name="axis">Hidden, Layers, Attention or Mlp.</param>
    /// <param name="row">One value per unit.</param>
    /// <returns>New scores.</returns>
    public ImportanceScores With(PruningAxes axis, IEnumerable<double> row) => With(axis, [row]);

    /// <summary>Block indices, least important first; ties keep index order.</summary>
    /// <returns>All block indices.</returns>
    public ImmutableArray<int> LayerOrder()
    {
        ImmutableArray<double> layers = Layers;
        return [.. Enumerable.Range(0, layers.Length).OrderBy(i => layers[i])];
    }

    private ImportanceScores(ImportanceScores original, ImmutableDictionary<PruningAxes, ImmutableArray<ImmutableArray<double>>> axes)
        : this(original.Source, original.Scorer)
    {
        _axes = axes;
        BlockWindows = original.BlockWindows;
    }

    /// <summary>Whether an axis has a row of units for each block; the other has one row.</summary>
    /// <param name="axis">One axis.</param>
    /// <returns>False for residual channels.</returns>
    public static bool IsPerLayer(PruningAxes axis) =>
        axis is PruningAxes.QueryHeads or PruningAxes.KeyValueGroups or PruningAxes.Intermediate;

    internal int RowLength(PruningAxes axis, int layer) => axis switch
    {
        PruningAxes.Hidden => Source.HiddenSize,
        PruningAxes.QueryHeads => Source.Layers[layer].QueryHeads,
        PruningAxes.KeyValueGroups => Source.Layers[layer].KeyValueHeads,
        PruningAxes.Intermediate => Source.Layers[layer].IntermediateSize,
        PruningAxes.Layers or PruningAxes.Attention or PruningAxes.Mlp => Source.Layers.Length,
        _ => throw new ScoringException($"{axis} is not a single axis."),
    };
}
