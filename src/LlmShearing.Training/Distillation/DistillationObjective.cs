// A teacher runs once over every micro-batch, without a graph. Of its results only states are kept, at scored positions: those before the output projection, from
// which logits are made a slice at a time beside the student's, and those of paired blocks.
using System.Text.Json.Nodes;
using LlmShearing.Devices;
using LlmShearing.Model;
using LlmShearing.Shapes;
using LlmShearing.Training.Optimization;
using LlmShearing.Training.Steps;
using static TorchSharp.torch;

namespace LlmShearing.Training.Distillation;

/// <summary>
/// Distillation (Hinton et al., arXiv 1503.02531) as a training objective. Sums of losses: "lm" cross entropy, "kd" loss on logits, "hidden" mean loss of the paired blocks,
/// all without weights, and "loss" with them. All losses are taken at scored positions, in float32.
/// </summary>
/// <remarks>For one training step at a time; the teacher is only read, and may serve others meanwhile.</remarks>
public sealed class DistillationObjective : ITrainingObjective
{
    private readonly ILlamaSource _teacher;
    private readonly DistillationOptions _options;
    private readonly StateMap? _map;

    /// <summary>Creates the objective.</summary>
    /// <param name="teacher">
    /// The teacher, resident or streamed; stays the caller's. It must not be the model that is trained; for a student of fewer blocks the two may share
    /// their weights (<see cref="LlamaModel.ShareBlocks"/>), a narrower student needs a copy of its own.
    /// </param>
    /// <param name="options">Options; null = defaults.</param>
    /// <param name="map">Trained map from hidden states of the student to those of the teacher; null = they are compared as they are. Stays the caller's.</param>
    /// <exception cref="TrainingException">An option is out of range, or names a block that the teacher does not have; the map does not fit, or nothing is compared behind it.</exception>
    public DistillationObjective(ILlamaSource teacher, DistillationOptions? options = null, StateMap? map = null)
    {
        ArgumentNullException.ThrowIfNull(teacher);
        LlamaModel.EnsureAlive(teacher);
        (_teacher, _options, _map) = (teacher, options ?? new DistillationOptions(), map);
        _options.EnsureValid();
        if (map is not null && _options.StateWeight == 0)
            throw new TrainingException($"There is a map of hidden states, but {nameof(DistillationOptions.StateWeight)} is 0, so that it would learn nothing.");
        if (map is not null && map.TeacherHiddenSize != teacher.Config.Shape.HiddenSize)
            throw new TrainingException($"The map leads to {map.TeacherHiddenSize} hidden channels; the teacher '{teacher.Name}' has {teacher.Config.Shape.HiddenSize}.");
        int blocks = teacher.Config.Shape.Layers.Length;
        foreach (int block in _options.TeacherBlocks)
            if (block < 0 || block >= blocks)
                throw new TrainingException($"{nameof(DistillationOptions.TeacherBlocks)} names block {block} of the teacher, which has blocks 0 to {blocks - 1}.");
        foreach (BlockPair pair in _options.Blocks)
            if (pair.Teacher < 0 || pair.Teacher >= blocks || pair.Student < 0)
                throw new TrainingException($"Block {pair.Student} of the student is paired with block {pair.Teacher} of the teacher, which has blocks 0 to {blocks - 1}.");
    }

    /// <inheritdoc/>
    public IReadOnlyList<TrainableParameter> Parameters => _map?.Parameters ?? [];

    /// <inheritdoc/>
    public JsonObject Describe() => new()
    {
        ["kind"] = "distillation",
        ["teacher"] = ShapeJson.ToNode(_teacher.Config.Shape),
        ["lm_weight"] = _options.LmWeight,
        ["logit_weight"] = _options.LogitWeight,
        ["divergence"] = _options.Logits.Divergence.ToString(),
        ["temperature"] = _options.Logits.Temperature,
        ["squared_temperature"] = _options.Logits.ScaleBySquaredTemperature,
        ["top_k"] = _options.Logits.TopK,
        ["top_k_kind"] = _options.Logits.TopKKind.ToString(),
        ["state_weight"] = _options.StateWeight,
        ["states"] = _options.States.ToString(),
        ["state_map"] = _map is null ? "none" : $"{_map.StudentHiddenSize} to {_map.TeacherHiddenSize}",
        ["blocks"] = new JsonArray(
            [.. _options.Blocks.Select(b => (JsonNode)$"{b.Student}<-{b.Teacher}"), .. _options.TeacherBlocks.Select(b => (JsonNode)$"{_options.Matching}<-{b}")]),
    };

    /// <inheritdoc/>
    public IMicroBatchObjective Begin(TrainingBatch batch, Tensor ids, Tensor scored)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentNullException.ThrowIfNull(scored);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        bool states = _options.StateWeight > 0;
        HashSet<int> wanted = [.. states ? _options.Blocks.Select(b => b.Teacher).Concat(_options.TeacherBlocks) : []];
        var kept = new Dictionary<int, Tensor>();
        Tensor positions = scored.to(_teacher.Device);                                                   // [N]
        LlamaPass pass = LlamaPass.Begin(
            _teacher.Config, batch.Tokens.BatchSize, batch.Tokens.SequenceLength, MicroBatchPass.ForwardOptionsOf(batch, null), _teacher.Dtype, _teacher.Device);
        Tensor x = _teacher.Embed(ids.to(_teacher.Device), pass);                                        // [B, T, H]
        int last = _options.LogitWeight > 0 ? _teacher.Config.Shape.Layers.Length - 1 : wanted.DefaultIfEmpty(-1).Max();
        for (int layer = 0; layer <= last; layer++)
        {
            using BlockLease lease = _teacher.AcquireBlock(layer);
            Tensor next = lease.Block.forward(x, pass);
            x.Dispose();
            x = next;
            if (wanted.Contains(layer))
                kept[layer] = At(x, positions);                                                          // [N, H]
        }

        Tensor? normed = _options.LogitWeight > 0 ? _teacher.FinalNorm(At(x, positions), pass) : null;   // [N, H]
        Tensor own = scored.alias();
        foreach (Tensor tensor in kept.Values.Append(own).Concat(normed is null ? [] : [normed]))
            tensor.DetachFromDisposeScope();
        return new MicroBatch(_teacher, _options, _map, normed, kept, own);
    }

    // [B, T, H] -> [N, H]
    private static Tensor At(Tensor states, Tensor positions) => states.reshape(-1, states.shape[2]).index_select(0, positions);

    private sealed class MicroBatch(ILlamaSource teacher, DistillationOptions options, StateMap? map, Tensor? normed, Dictionary<int, Tensor> states, Tensor scored) : IMicroBatchObjective
    {
        private readonly bool _matches = options.StateWeight > 0 && options.Matching != BlockMatching.Fixed;
        private readonly List<double[]> _distances = [];   // [student block][teacher block]: sums over tokens
        private readonly List<bool> _alive = [];
        private ILookup<int, int>? _teachersOf = options.StateWeight == 0 || options.Matching == BlockMatching.Fixed
            ? (options.StateWeight > 0 ? options.Blocks : []).ToLookup(b => b.Student, b => b.Teacher)
            : null;   // known once all blocks were seen

        public bool Observes => _matches;

        // Averaged over all teacher blocks, matched or not.
        private int Terms => _matches ? options.TeacherBlocks.Count : options.Blocks.Count;

        public bool Wants(int layer) => _teachersOf?.Contains(layer) ?? false;

        public void Observe(int layer, Tensor hidden, bool hasAttention)
        {
            using var scope = NewDisposeScope();
            Tensor mapped = Mapped(hidden).Output;
            _distances.Add([.. options.TeacherBlocks.Select(t => HostValues.Sum(Distance(mapped, t).Losses))]);
            _alive.Add(hasAttention);
        }

        public Tensor AtLogits(Tensor logits, Tensor targets, long first, double scale, LossSums losses)
        {
            if (_teachersOf is null)
                Pair(losses);
            using var scope = NewDisposeScope();
            long n = logits.shape[0], vocabulary = logits.shape[1], rows = CrossEntropy.RowsAtOnce(logits);
            Tensor? goal = normed is null ? null : teacher.Logits(normed.narrow(0, first, n)).to(ScalarType.Float32).to(logits.device);   // [n, V]
            if (goal is not null && goal.shape[1] != vocabulary)
                throw new TrainingException($"The teacher '{teacher.Name}' has {goal.shape[1]} tokens in its vocabulary, the student {vocabulary}. Distillation of logits needs the same vocabulary.");
            double lm = 0, kd = 0;
            for (long start = 0; start < n; start += rows)
            {
                using var inner = NewDisposeScope();
                long count = Math.Min(rows, n - start);
                Tensor slice = logits.narrow(0, start, count), target = targets.narrow(0, start, count);  // [c, V], [c]
                Tensor? gradient = null;
                if (goal is not null)
                {
                    (Tensor distances, gradient) = options.Logits.Compute(slice, goal.narrow(0, start, count));
                    kd += HostValues.Sum(distances);
                    gradient.mul_(options.LogitWeight * scale);
                }

                lm += LanguageModelling(slice, target, scale);
                if (gradient is not null)
                    slice.add_(gradient);
            }

            losses.Add("lm", lm);
            if (goal is not null)
                losses.Add("kd", kd);
            losses.Add("loss", (options.LmWeight * lm) + (options.LogitWeight * kd));
            return logits;
        }

        public Tensor? AtBlock(int layer, Tensor hidden, double scale, LossSums losses)
        {
            using var scope = NewDisposeScope();
            long[] shape = hidden.shape;
            Tensor result = zeros([shape[0] * shape[1], shape[2]], dtype: ScalarType.Float32, device: hidden.device);
            (Tensor input, Tensor output) = Mapped(hidden);
            foreach (int block in _teachersOf![layer])
            {
                (Tensor distances, Tensor gradient) = Distance(output, block);
                if (!_matches)
                    AddStates(losses, HostValues.Sum(distances));
                gradient.mul_(options.StateWeight * scale / Terms);
                if (map is not null)
                    gradient = map.Backward(input, gradient).to(hidden.device);
                result.index_add_(0, scored, gradient, 1);
            }

            return result.view(shape).MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            normed?.Dispose();
            scored.Dispose();
            foreach (Tensor state in states.Values)
                state.Dispose();
        }

        private void Pair(LossSums losses)
        {
            double[][] byTeacher = [.. options.TeacherBlocks.Select((_, t) => _distances.Select(d => d[t]).ToArray())];
            int[] found = BlockMatcher.Match(options.Matching, byTeacher, [.. _alive]);
            (int Teacher, int Student)[] pairs = [.. found.Select((s, t) => (t, s)).Where(p => p.s >= 0)];
            AddStates(losses, pairs.Sum(p => byTeacher[p.Teacher][p.Student]));
            _teachersOf = pairs.ToLookup(p => p.Student, p => options.TeacherBlocks[p.Teacher]);
        }

        private void AddStates(LossSums losses, double sum)
        {
            losses.Add("hidden", sum / Terms);
            losses.Add("loss", options.StateWeight * sum / Terms);
        }

        // States at the scored positions before and behind the map [N, H].
        private (Tensor Input, Tensor Output) Mapped(Tensor hidden)
        {
            Tensor input = At(hidden, scored);
            return map is null ? (input, input)
                : input.shape[1] == map.StudentHiddenSize ? (input, map.Apply(input))
                : throw new TrainingException($"The map of hidden states is for {map.StudentHiddenSize} channels; the student has {input.shape[1]}.");
        }

        // Losses [N] and gradient [N, H] of states behind the map.
        private (Tensor Losses, Tensor Gradient) Distance(Tensor mapped, int block)
        {
            Tensor goal = states[block].to(mapped.device);                                               // [N, H]
            return goal.shape[1] == mapped.shape[1]
                ? StateLoss.Compute(mapped, goal, options.States)
                : throw new TrainingException($"Hidden states of the teacher '{teacher.Name}' have {goal.shape[1]} channels, those of the student {mapped.shape[1]}. Give a {nameof(StateMap)}, or leave states out.");
        }

        // Sum of the cross entropy; the logits become its weighted gradient.
        private double LanguageModelling(Tensor logits, Tensor targets, double scale)
        {
            if (options.LmWeight > 0)
                return CrossEntropy.InPlace(logits, targets, options.LmWeight * scale);
            double sum = -HostValues.Sum(logits.log_softmax(-1).gather(1, targets.unsqueeze(1)));
            logits.zero_();
            return sum;
        }
    }
}
