using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using LlmShearing.Data.Batches;
using LlmShearing.Data.Domains;
using LlmShearing.Data.Samples;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Data.Instructions;

/// <summary>Micro-batches of samples of different lengths, padded or packed, in a seeded order that can be taken up at any place. Samples stay in memory.</summary>
public sealed class InstructionBatches : ITrainingData
{
    private const string Kind = "instruction-batches";

    private readonly IReadOnlyList<TokenSample> _samples;
    private readonly List<IReadOnlyList<PackedSegment>> _rows;
    private readonly InstructionBatchesOptions _options;
    private readonly ulong _seed;
    private readonly JsonObject _description;
    private readonly string _identity;
    private long _epoch;
    private long _position;

    /// <summary>Creates the data at their start. Packing is planned here, once; epochs change the order of packed rows, not their content.</summary>
    /// <param name="samples">Samples, none empty; not to be changed afterwards.</param>
    /// <param name="options">Settings.</param>
    /// <exception cref="TokenDataException">There is no sample, one is empty or has nothing to learn, or an option is out of range.</exception>
    public InstructionBatches(IReadOnlyList<TokenSample> samples, InstructionBatchesOptions options)
    {
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentNullException.ThrowIfNull(options);
        Check(samples, options);
        (_samples, _options, _seed) = (samples, options, Mixing.Derive(options.Seed, Kind));
        _rows = options.Packing is PackingStrategy strategy
            ? WithLabels(SamplePacking.Plan([.. samples.Select(s => s.Length)], options.RowLength, strategy))
            : [.. samples.Select((s, i) => new[] { new PackedSegment(i, 0, s.Length) })];
        if (_rows.Count == 0)
            throw new TokenDataException($"No packed row of {options.RowLength} tokens has a token to learn. Pack into longer rows, or split long samples.");
        _description = CreateDescription();
        _identity = Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(_description.ToJsonString())).AsSpan(0, 8));
    }

    /// <summary>Rows of one epoch: samples, or packed rows.</summary>
    public int Rows => _rows.Count;

    /// <inheritdoc/>
    public long? BatchesPerEpoch => (_rows.Count + (long)_options.BatchSize - 1) / _options.BatchSize;

    /// <inheritdoc/>
    public TrainingBatch? NextBatch(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        (long epoch, long position) = _position == _rows.Count ? (_epoch + 1, 0) : (_epoch, _position);
        if (epoch >= _options.Epochs)
            return null;
        var order = new RowPermutation(_rows.Count, Mixing.Mix(_seed ^ (ulong)epoch));
        int count = (int)Math.Min(_options.BatchSize, _rows.Count - position);
        var documents = new TokenSample[count][];
        for (int i = 0; i < count; i++)
        {
            long row = _options.Shuffle ? order.At(position + i) : position + i;
            documents[i] = [.. _rows[(int)row].Select(s => s.Length == _samples[s.Sample].Length ? _samples[s.Sample] : _samples[s.Sample].Slice(s.Start, s.Length))];
        }

        string source = $"{string.Join(", ", documents.SelectMany(d => d).Select(d => d.Source))} of epoch {epoch}";
        TrainingBatch batch = _options.Packing is null
            ? SampleCollator.Padded([.. documents.Select(d => d[0])], _options.Collator, source)
            : SampleCollator.Packed(documents, _options.Collator, source);
        (_epoch, _position) = (epoch, position + count);
        return batch;
    }

    /// <inheritdoc/>
    public JsonObject Describe() => (JsonObject)_description.DeepClone();

    /// <inheritdoc/>
    public JsonObject Save() => new() { ["data"] = Kind, ["identity"] = _identity, ["epoch"] = _epoch, ["position"] = _position };

    /// <inheritdoc/>
    public void Restore(JsonObject state)
    {
        ArgumentNullException.ThrowIfNull(state);
        SavedPlace.Check(state, Kind, _identity);
        (_epoch, _position) = (SavedPlace.Number(state, "epoch", long.MaxValue - 1), SavedPlace.Number(state, "position", _rows.Count));
    }

    /// <summary>Does nothing: there is nothing to free.</summary>
    public void Dispose()
    {
    }

    private static void Check(IReadOnlyList<TokenSample> samples, InstructionBatchesOptions options)
    {
        if (samples.Count == 0)
            throw new TokenDataException("There is no sample. Check the instruction data and what was left out of them.");
        for (int i = 0; i < samples.Count; i++)
            if (samples[i].LearnedTokens == 0)
                throw new TokenDataException($"Sample {i}{(samples[i].Source.Length > 0 ? $" ({samples[i].Source})" : "")} has no token to learn. Leave such samples out; {nameof(InstructionTokenizer)} does.");
        if (options.BatchSize < 1)
            throw new TokenDataException($"BatchSize is {options.BatchSize}; a micro-batch needs at least 1 row.");
        if (options.Packing is not null && options.RowLength < 2)
            throw new TokenDataException($"RowLength is {options.RowLength}; a packed row needs at least 2 tokens.");
        if (options.Packing is { } packing && !Enum.IsDefined(packing))
            throw new TokenDataException($"Packing is {(int)packing}; use one of {string.Join(", ", Enum.GetNames<PackingStrategy>())}.");
        if (options.Epochs is < 1)
            throw new TokenDataException($"Epochs is {options.Epochs}; it must be at least 1.");
    }

    // Cutting may leave a row of prompts alone, from which nothing is learned.
    private List<IReadOnlyList<PackedSegment>> WithLabels(IReadOnlyList<IReadOnlyList<PackedSegment>> rows) =>
        [.. rows.Where(r => r.Any(s => _samples[s.Sample].Slice(s.Start, s.Length).LearnedTokens > 0))];

    private JsonObject CreateDescription()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (TokenSample sample in _samples)
        {
            hash.AppendData(BitConverter.GetBytes(sample.Length));
            hash.AppendData(MemoryMarshal.AsBytes(sample.Ids.Span));
            hash.AppendData(MemoryMarshal.AsBytes(sample.Labels.Span));
        }

        return new JsonObject
        {
            ["data"] = Kind,
            ["samples"] = _samples.Count,
            ["sha256"] = Convert.ToHexStringLower(hash.GetHashAndReset()),
            ["seed"] = _options.Seed,
            ["shuffle"] = _options.Shuffle,
            ["batchSize"] = _options.BatchSize,
            ["packing"] = _options.Packing?.ToString(),
            ["rowLength"] = _options.Packing is null ? null : _options.RowLength,
            ["rows"] = _rows.Count,
            ["epochs"] = _options.Epochs,
            ["padId"] = _options.Collator.PadId,
            ["paddingSide"] = _options.Collator.Side.ToString(),
            ["multipleOf"] = _options.Collator.MultipleOf,
            ["attendAcrossDocuments"] = _options.Collator.AttendAcrossDocuments,
        };
    }
}
