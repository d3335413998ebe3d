using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Training.Distillation;

/// <summary>What a student learns from its teacher: loss = lm weight * cross entropy + logit weight * logit loss + state weight * mean state loss of the paired blocks.</summary>
public sealed record DistillationOptions
{
    /// <summary>Weight of the cross entropy with the labels, 0 or more.</summary>
    /// <value>Default: 0.5.</value>
    [Range(0.0, 1e6)]
    public double LmWeight { get; init; } = 0.5;

    /// <summary>Weight of the loss on logits, 0 or more.</summary>
    /// <value>Default: 0.5.</value>
    [Range(0.0, 1e6)]
    public double LogitWeight { get; init; } = 0.5;

    /// <summary>The loss on logits.</summary>
    /// <value>Default: forward KL at temperature 1.</value>
    public LogitLoss Logits { get; init; } = new();

    /// <summary>Weight of the loss on hidden states, 0 or more; needs <see cref="Blocks"/> or <see cref="TeacherBlocks"/>.</summary>
    /// <value>Default: 0.</value>
    [Range(0.0, 1e6)]
    public double StateWeight { get; init; }

    /// <summary>Distance of hidden states.</summary>
    /// <value>Default: mean squared difference.</value>
    public StateDistance States { get; init; } = StateDistance.MeanSquare;

    /// <summary>Blocks whose outputs are compared; see <see cref="BlockPair.Of"/>.</summary>
    /// <value>Default: none.</value>
    public IReadOnlyList<BlockPair> Blocks { get; init; } = [];

    /// <summary>Whether pairs are fixed or found out in every micro-batch from the distances of states at its scored positions.</summary>
    /// <value>Default: fixed.</value>
    public BlockMatching Matching { get; init; } = BlockMatching.Fixed;

    /// <summary>0-based blocks of the teacher, ascending, that find their student block under <see cref="Matching"/>. CoFi takes every third of 12. Their losses are averaged; CoFi sums.</summary>
    /// <value>Default: none.</value>
    public IReadOnlyList<int> TeacherBlocks { get; init; } = [];

    /// <summary>Refuses settings that are out of range or contradict each other.</summary>
    internal void EnsureValid()
    {
        ArgumentNullException.ThrowIfNull(Logits);
        ArgumentNullException.ThrowIfNull(Blocks);
        foreach ((string name, double weight) in new[] { (nameof(LmWeight), LmWeight), (nameof(LogitWeight), LogitWeight), (nameof(StateWeight), StateWeight) })
            if (!(weight >= 0) || !double.IsFinite(weight))
                throw new TrainingException($"{name} is {weight}; it must be a finite number of 0 or more.");
        if (LmWeight + LogitWeight + StateWeight == 0)
            throw new TrainingException($"{nameof(LmWeight)}, {nameof(LogitWeight)} and {nameof(StateWeight)} are all 0, so that nothing would be learnt.");
        if (!Enum.IsDefined(States))
            throw new TrainingException($"{nameof(States)} is {States}. Known: {string.Join(", ", Enum.GetNames<StateDistance>())}.");
        ArgumentNullException.ThrowIfNull(TeacherBlocks);
        if (!Enum.IsDefined(Matching))
            throw new TrainingException($"{nameof(Matching)} is {Matching}. Known: {string.Join(", ", Enum.GetNames<BlockMatching>())}.");
        if (Matching == BlockMatching.Fixed ? TeacherBlocks.Count > 0 : Blocks.Count > 0)
            throw new TrainingException($"{nameof(Matching)} is {Matching}, which does not go with {(Matching == BlockMatching.Fixed ? nameof(TeacherBlocks) : nameof(Blocks))}. Fixed pairs are named in {nameof(Blocks)}, those to be found in {nameof(TeacherBlocks)}.");
        if (Matching != BlockMatching.Fixed && (TeacherBlocks.Count == 0 || TeacherBlocks.Zip(TeacherBlocks.Skip(1)).Any(p => p.First >= p.Second)))
            throw new TrainingException($"{nameof(TeacherBlocks)} is [{string.Join(", ", TeacherBlocks)}]; {nameof(Matching)} {Matching} needs at least one block, in ascending order.");
        if (Matching == BlockMatching.Fixed && StateWeight > 0 && Blocks.Count == 0)
            throw new TrainingException($"{nameof(StateWeight)} is {StateWeight}, but {nameof(Blocks)} is empty. Pair blocks, for example with BlockPair.Of(plan).");
        if (Blocks.GroupBy(b => b.Student).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new TrainingException($"{nameof(Blocks)} pairs block {twice.Key} of the student more than once.");
        Logits.EnsureValid();
    }
}

/// <summary>Two blocks whose outputs are compared.</summary>
/// <param name="Student">0-based block of the student.</param>
/// <param name="Teacher">0-based block of the teacher.</param>
public readonly record struct BlockPair(int Student, int Teacher)
{
    /// <summary>Pairs every block that a plan keeps with the block of the source that it was.</summary>
    /// <param name="plan">The plan that made the student.</param>
    /// <returns>One pair a kept block, in order.</returns>
    public static IReadOnlyList<BlockPair> Of(PruningPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return [.. plan.Layers.Select((layer, i) => new BlockPair(i, layer.SourceIndex))];
    }
}
