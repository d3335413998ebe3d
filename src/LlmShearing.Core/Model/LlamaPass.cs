// What all blocks share in one forward pass: rotary tables, attention masks, gates, cache.
using static TorchSharp.torch;

namespace LlmShearing.Model;

/// <summary>The state of one forward pass. Its tensors belong to the dispose scope in which it was begun.</summary>
public sealed class LlamaPass
{
    private readonly Dictionary<int, Tensor?> _masks = [];
    private readonly ForwardOptions _options;
    private readonly Device _device;
    private readonly long[]? _positions;   // [B, T]; null = consecutive

    private LlamaPass(LlamaConfig config, int batch, int length, ForwardOptions options, ScalarType dtype, Device device)
    {
        (BatchSize, SequenceLength, _options, _device, _positions) = (batch, length, options, device, options.Positions);
        int past = options.Cache?.Length ?? 0;
        long largest = _positions is null ? past + length - 1 : _positions.Max();
        float[] inverse = RotaryEmbedding.InverseFrequencies(config, largest + 1);
        Tensor positions = _positions is null
            ? arange(past, past + length, dtype: ScalarType.Int64, device: device)
            : tensor(_positions, batch, length, device: device);
        (Cos, Sin) = RotaryEmbedding.Tables(inverse, positions, dtype);
        GateDtype = Precise(dtype);
        Hidden = options.Gates?.HiddenGate(GateDtype);
        for (int i = 0; i < config.Shape.Layers.Length; i++)
            _ = Mask(config.SlidingWindow(i), out _);   // made here, so that all blocks share them in the scope of the pass
    }

    /// <summary>Rows.</summary>
    public int BatchSize { get; }

    /// <summary>New tokens a row.</summary>
    public int SequenceLength { get; }

    internal Tensor Cos { get; }

    internal Tensor Sin { get; }

    /// <summary>The gate of the residual channels that multiplies the embedding too [H]; null when there is none, or it leaves the embedding alone.</summary>
    public Tensor? EmbeddingGate => Hidden is { InputIsMasked: true } gate ? gate.Value : null;

    internal HiddenGate? Hidden { get; }

    /// <summary>Type in which gates are multiplied with each other.</summary>
    internal ScalarType GateDtype { get; }

    internal LlamaGates? Gates => _options.Gates;

    internal KeyValueCache? Cache => _options.Cache;

    /// <summary>Type of norms and products of gates: float32 for activations of up to 32 bits, float64 for float64.</summary>
    internal static ScalarType Precise(ScalarType activations) => activations == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;

    /// <summary>Begins a pass; checks the options against each other.</summary>
    /// <param name="config">Configuration of the model.</param>
    /// <param name="batchSize">Rows.</param>
    /// <param name="sequenceLength">Tokens a row.</param>
    /// <param name="options">Options, or null.</param>
    /// <param name="dtype">Type of the activations.</param>
    /// <param name="device">Device of the activations.</param>
    /// <returns>The pass.</returns>
    /// <exception cref="TokenDataException">A mask or position array has another length than the batch.</exception>
    public static LlamaPass Begin(LlamaConfig config, int batchSize, int sequenceLength, ForwardOptions? options, ScalarType dtype, Device device)
    {
        ArgumentNullException.ThrowIfNull(config);
        options ??= new ForwardOptions();
        int n = batchSize * sequenceLength;
        if (options.AttentionMask is { } mask && mask.Length != n)
            throw new TokenDataException($"The attention mask has {mask.Length} entries for {batchSize} x {sequenceLength} tokens.");
        if (options.Positions is { } positions && positions.Length != n)
            throw new TokenDataException($"There are {positions.Length} positions for {batchSize} x {sequenceLength} tokens.");
        if (options.Packed && (options.Positions is null || options.Cache is not null || options.AttentionMask is not null))
            throw new ArgumentException("Packed rows need positions, and allow neither a cache nor an attention mask.");
        options.Gates?.EnsureFor(config.Shape);
        return new LlamaPass(config, batchSize, sequenceLength, options, dtype, device);
    }

    /// <summary>
    /// The attention mask of a layer, true = visible [B|1, 1, T, past + T]. Null with <paramref name="causal"/> true = plain causal;
    /// null with false = everything is visible.
    /// </summary>
    internal Tensor? Mask(int? window, out bool causal)
    {
        int past = Cache?.Length ?? 0, total = past + SequenceLength;
        bool windowed = window is { } w && w < total;
        bool padded = _options.AttentionMask is not null || (Cache is not null && HasPaddedPast(total));
        causal = !windowed && !padded && !_options.Packed && past == 0;
        if (causal || (!windowed && !padded && !_options.Packed && SequenceLength == 1))
            return null;
        int key = windowed ? window!.Value : 0;
        if (!_masks.TryGetValue(key, out Tensor? mask))
            _masks[key] = mask = Build(windowed ? window!.Value : int.MaxValue, past, padded || _options.Packed);
        return mask;
    }

    private bool HasPaddedPast(int total)
    {
        int past = total - SequenceLength;
        for (int k = 0; k < past; k++)
            for (int b = 0; b < BatchSize; b++)
                if (!Cache!.IsReal(b, k))
                    return true;
        return false;
    }

    private Tensor Build(int window, int past, bool perRow)
    {
        int rows = perRow ? BatchSize : 1, total = past + SequenceLength;
        bool[] visible = new bool[(long)rows * SequenceLength * total];
        int[] segment = new int[SequenceLength];
        for (int b = 0; b < rows; b++)
        {
            for (int t = 1; t < SequenceLength; t++)
                segment[t] = segment[t - 1] + (_options.Packed && _positions![(b * SequenceLength) + t] != _positions[(b * SequenceLength) + t - 1] + 1 ? 1 : 0);
            for (int t = 0; t < SequenceLength; t++)
            {
                int q = past + t;
                long row = (((long)b * SequenceLength) + t) * total;
                for (int k = Math.Max(0, q - window + 1); k <= q; k++)
                {
                    // A padded query would see nothing and give NaN; it may see itself, its value is never used.
                    bool real = k == q || (k < past ? Cache!.IsReal(b, k) : IsReal(b, k - past));
                    visible[row + k] = real && (!_options.Packed || segment[k] == segment[t]);
                }
            }
        }

        return tensor(visible, new long[] { rows, 1, SequenceLength, total }, device: _device);
    }

    private bool IsReal(int row, int position) =>
        _options.AttentionMask is null || _options.AttentionMask[(row * SequenceLength) + position];

    /// <summary>Records the new tokens in the cache once all blocks have run.</summary>
    internal void Complete()
    {
        if (Cache is null)
            return;
        for (int t = 0; t < SequenceLength; t++)
        {
            bool[] column = new bool[BatchSize];
            for (int b = 0; b < BatchSize; b++)
                column[b] = IsReal(b, t);
            Cache.AppendMask(column);
        }

        Cache.Advance(SequenceLength);
    }
}
