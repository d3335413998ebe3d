using static TorchSharp.torch;

namespace LlmShearing.Training.Optimization;

/// <summary>What the optimizer accepts.</summary>
internal static class AdamRules
{
    public static void Check(IReadOnlyList<ParameterGroup> groups)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        foreach (ParameterGroup group in groups)
        {
            Require(double.IsFinite(group.LearningRate) && group.LearningRate > 0, group, "learning rate", group.LearningRate, "above 0");
            Require(double.IsFinite(group.WeightDecay) && group.WeightDecay >= 0, group, "weight decay", group.WeightDecay, "0 or more");
            Require(group.Beta1 >= 0 && group.Beta1 < 1, group, "beta1", group.Beta1, "in [0, 1)");
            Require(group.Beta2 >= 0 && group.Beta2 < 1, group, "beta2", group.Beta2, "in [0, 1)");
            Require(double.IsFinite(group.Epsilon) && group.Epsilon > 0, group, "epsilon", group.Epsilon, "above 0");
            foreach (TrainableParameter p in group.Parameters)
            {
                if (!names.Add(p.Name) || !seen.Add(p.Value))
                    throw new TrainingException($"The parameter {p.Name} is given twice. Put every parameter into one group, under one name.");
                if (p.Value.dtype is not (ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16))
                    throw new TrainingException($"The parameter {p.Name} is {p.Value.dtype}. Give Float32, BFloat16 or Float16.");
                if (!p.Value.is_contiguous())
                    throw new TrainingException($"The parameter {p.Name} is not contiguous. Make it from a contiguous tensor.");
            }
        }

        if (names.Count == 0)
            throw new TrainingException("There is no parameter to train. Give at least one group with one parameter.");
    }

    public static void CheckStep(IReadOnlyList<ParameterGroup> groups, IReadOnlyList<double> rates, double scale)
    {
        if (rates.Count != groups.Count)
            throw new TrainingException($"There are {rates.Count} learning rates for {groups.Count} groups. Give one for each group.");
        for (int i = 0; i < rates.Count; i++)
            Require(double.IsFinite(rates[i]) && rates[i] >= 0, groups[i], "learning rate of this step", rates[i], "0 or more");
        if (!double.IsFinite(scale) || scale < 0)
            throw new TrainingException($"The scale of the gradients is {scale}, so a gradient is not finite. Look at the data and the learning rate of the steps before; the weights were not changed.");
    }

    public static void CheckCounts(IReadOnlyList<AdamSlot> slots, IReadOnlyDictionary<string, long> counts)
    {
        foreach (AdamSlot slot in slots)
            if (!counts.TryGetValue(slot.Name, out long count) || count < 0)
                throw new TrainingException($"The number of updates of {slot.Name} is {(counts.ContainsKey(slot.Name) ? counts[slot.Name] : "missing")}. The checkpoint is damaged or belongs to another model.");
        if (counts.Keys.Except(slots.Select(s => s.Name)).FirstOrDefault() is { } unknown)
            throw new TrainingException($"There is a number of updates of {unknown}, which is not trained here. The checkpoint belongs to another model.");
    }

    private static void Require(bool holds, ParameterGroup group, string what, double value, string wanted)
    {
        if (!holds)
            throw new TrainingException($"Parameter group \"{group.Name}\": the {what} is {value}, but must be {wanted}.");
    }
}
