// The resident model: embedding, blocks, final norm, output projection.
using LlmShearing.Devices;
using LlmShearing.Kernels;
using LlmShearing.Model;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing;

/// <summary>
/// A LLaMA-family decoder held in memory. Parameter names are those of Hugging Face without the leading "model.".
/// A tied model has no lm_head module: the embedding is the output projection.
/// </summary>
/// <remarks>
/// Any number of threads may use a model at once as long as none changes it and none computes gradients: forward passes under <c>no_grad</c>, evaluation, generation (each
/// with its own cache and gates), scorers that need no gradients. One thread at a time may compute gradients: training steps and Taylor scorers answer a second one with an
/// <see cref="InvalidOperationException"/>. Own loops of <c>forward</c> and <c>backward</c> are not watched: two of them at once can end the process. Conversion, adapters, taps,
/// and disposal want the model for themselves. After disposal everything throws <see cref="ObjectDisposedException"/>.
/// </remarks>
public sealed partial class LlamaModel : nn.Module<Tensor, Tensor>, ILlamaSource
{
    /// <summary>Embedding [V, H].</summary>
    public readonly LlamaEmbedding embed_tokens;

    /// <summary>Blocks.</summary>
    public readonly ModuleList<LlamaBlock> layers;

    /// <summary>Final norm.</summary>
    public readonly RmsNorm norm;

    /// <summary>Output projection [V, H]; null when tied.</summary>
    public readonly Projection? lm_head;

    /// <summary>Creates a model with uninitialised weights.</summary>
    /// <param name="config">Configuration.</param>
    /// <param name="dtype">Type of the weights; default float32.</param>
    /// <param name="device">Device; default CPU.</param>
    public LlamaModel(LlamaConfig config, ScalarType dtype = ScalarType.Float32, Device? device = null)
        : base(TorchRuntime.Loaded(nameof(LlamaModel)))
    {
        ArgumentNullException.ThrowIfNull(config);
        Device place = device ?? CPU;
        (Config, Dtype, Device) = (config, dtype, place);
        LlamaShape shape = config.Shape;
        embed_tokens = new LlamaEmbedding(shape.VocabSize, shape.HiddenSize, config.PadTokenId, dtype, place);
        layers = new ModuleList<LlamaBlock>([.. Enumerable.Range(0, shape.Layers.Length).Select(i => new LlamaBlock(config, i, dtype, place))]);
        norm = new RmsNorm(shape.HiddenSize, config.RmsNormEps, dtype, place);
        lm_head = shape.TiedEmbeddings ? null : new Projection(shape.VocabSize, shape.HiddenSize, false, dtype, place);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public LlamaConfig Config { get; }

    /// <inheritdoc/>
    public string Name { get; init; } = "model";

    /// <inheritdoc/>
    public ScalarType Dtype { get; }

    /// <inheritdoc/>
    public Device Device { get; }

    /// <summary>Logits of a batch without padding.</summary>
    /// <param name="input">Token ids [B, T], int64.</param>
    /// <returns>Logits [B, T, V].</returns>
    public override Tensor forward(Tensor input) => forward(input, null);

    /// <summary>Logits under options.</summary>
    /// <param name="ids">Token ids [B, T], int64.</param>
    /// <param name="options">Mask, positions, cache, gates; null = none.</param>
    /// <returns>Logits [B, T, V] in the caller's dispose scope.</returns>
    public Tensor forward(Tensor ids, ForwardOptions? options)
    {
        using var scope = NewDisposeScope();
        return Logits(Hidden(ids, options)).MoveToOuterDisposeScope();
    }

    /// <summary>The last hidden state, after the final norm.</summary>
    /// <param name="ids">Token ids [B, T], int64.</param>
    /// <param name="options">Mask, positions, cache, gates; null = none.</param>
    /// <returns>[B, T, H] in the caller's dispose scope.</returns>
    public Tensor Hidden(Tensor ids, ForwardOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(ids);
        EnsureAlive();
        using var scope = NewDisposeScope();
        LlamaPass pass = LlamaPass.Begin(Config, (int)ids.shape[0], (int)ids.shape[1], options, Dtype, Device);
        Tensor x = Embed(ids, pass);                                                                 // [B, T, H]
        foreach (LlamaBlock block in layers)
        {
            Tensor next = block.forward(x, pass);
            x.Dispose();
            x = next;
        }

        pass.Complete();
        return FinalNorm(x, pass).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Embed(Tensor ids, LlamaPass? pass = null)
    {
        EnsureAlive();
        Tensor x = embed_tokens.forward(ids);
        return pass?.Hidden is { InputIsMasked: true } gate ? x * gate.Value.to(x.dtype) : x;
    }

    /// <inheritdoc/>
    public BlockLease AcquireBlock(int layer)
    {
        EnsureAlive();
        return new BlockLease(layers[layer]);
    }

    /// <inheritdoc/>
    public Tensor FinalNorm(Tensor hidden, LlamaPass? pass = null)
    {
        EnsureAlive();
        return norm.Gated(hidden, pass?.Hidden);
    }

    /// <inheritdoc/>
    public Tensor Logits(Tensor normed) => LinearProduct.Forward(normed, HeadWeight, null);

    /// <inheritdoc/>
    public IEnumerable<(long Start, Tensor Weight)> HeadChunks(long rows)
    {
        for (long start = 0; start < Config.Shape.VocabSize; start += rows)
            yield return (start, HeadWeight.narrow(0, start, Math.Min(rows, Config.Shape.VocabSize - start)));
    }

    /// <inheritdoc/>
    public Tensor HeadRows(Tensor ids) => HeadWeight.index_select(0, ids);

    /// <summary>All weights under their Hugging Face names ("model.layers.0.self_attn.q_proj.weight").</summary>
    /// <returns>Name and parameter, in module order.</returns>
    public IEnumerable<(string Name, Parameter Weight)> NamedWeights() =>
        named_parameters().Select(p => (p.name.StartsWith("lm_head", StringComparison.Ordinal) ? p.name : "model." + p.name, p.parameter));

    /// <summary>The matrix that makes logits [V, H].</summary>
    public Parameter HeadWeight
    {
        get
        {
            EnsureAlive();
            return lm_head is null ? embed_tokens.weight : lm_head.weight;
        }
    }
}

/// <summary>Token embedding. The padding row receives no gradient from here, as in Hugging Face models.</summary>
public sealed class LlamaEmbedding : nn.Module<Tensor, Tensor>
{
    /// <summary>Weight [V, H].</summary>
    public readonly Parameter weight;

    private readonly long? _padding;

    internal LlamaEmbedding(long vocabulary, long hidden, int? padding, ScalarType dtype, Device device)
        : base(nameof(LlamaEmbedding))
    {
        weight = Weights.Empty(dtype, device, vocabulary, hidden);
        _padding = padding is { } p ? (p < 0 ? vocabulary + p : p) : null;
        RegisterComponents();
    }

    /// <summary>An embedding with the weight of another.</summary>
    internal LlamaEmbedding(LlamaEmbedding shared)
        : base(nameof(LlamaEmbedding))
    {
        weight = Weights.Share(shared.weight);
        _padding = shared._padding;
        RegisterComponents();
    }

    /// <summary>Id whose row receives no gradient from the input side, or null.</summary>
    public long? Padding => _padding;

    /// <inheritdoc/>
    public override Tensor forward(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        Weights.EnsureAlive(weight, nameof(LlamaEmbedding));
        using var scope = NewDisposeScope();
        long[] shape = input.shape;
        Tensor x = weight.index_select(0, input.reshape(-1));                                        // [B * T, H]
        if (_padding is { } pad && is_grad_enabled() && weight.requires_grad)
            x = where(input.reshape(-1, 1).eq(pad), x.detach(), x);
        return x.view(shape[0], shape[1], -1).MoveToOuterDisposeScope();
    }
}
