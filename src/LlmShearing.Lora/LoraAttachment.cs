// Adapters on one resident model: owns their weights and everything that must be undone.
using LlmShearing.Checkpoints;
using LlmShearing.Devices;
using LlmShearing.Model;
using LlmShearing.Training.Optimization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Lora;

/// <summary>Adapters attached to one model. Disposing detaches them, frees their weights and leaves the model as it was; what was merged stays merged.</summary>
/// <remarks>Attaching, training, merging and disposing want the model alone; between those, forward passes without gradients may run on many threads.</remarks>
public sealed class LoraAttachment : IDisposable
{
    private readonly LoraLayout _layout;
    private readonly LoraDropout _dropout;
    private readonly List<LoraTap> _taps = [];
    private readonly List<IDisposable> _attached = [];
    private readonly List<(Parameter Weight, bool Required)> _required = [];
    private readonly Dictionary<string, (Parameter Weight, Tensor Original)> _saved = new(StringComparer.Ordinal);
    private bool _disposed;

    /// <summary>Attaches. Values are taken over: A [r, in] and B [out, r], float32 on the CPU; full weights where the function gives any.</summary>
    internal LoraAttachment(LlamaModel model, LoraOptions options, LoraLayout layout, Func<LoraTarget, (Tensor A, Tensor B)> factors, Func<LlamaTensor, Tensor>? savedValue = null)
    {
        if (model.SharesWeights && layout.Replaced.Length > 0)
            throw new LoraException($"The adapter brings its own '{layout.Replaced[0].Name}', but this model shares its weights with another, which would change too. Cut the model with ModelSurgery, or load it again.");
        if (model.SharesWeights && layout.Saved.Length > 0)
            throw new LoraException($"ModulesToSave asks for training '{layout.Saved[0].Name}' in full, but this model shares its weights with another. Leave it out, or cut the model with ModelSurgery.");
        (Model, Options, _layout, _dropout) = (model, options, layout, new LoraDropout(options.Dropout));
        try
        {
            using var scope = NewDisposeScope();
            using IDisposable noGrad = no_grad();
            Freeze();
            foreach (LoraTarget target in layout.Targets)
                Add(target, factors(target));
            Dictionary<string, Parameter> weights = model.NamedWeights().ToDictionary(w => w.Name, w => w.Weight, StringComparer.Ordinal);
            foreach (LlamaTensor tensor in layout.Saved)
                AddSaved(tensor, weights[tensor.Name], savedValue, trained: true);
            foreach (LlamaTensor tensor in layout.Replaced)
                AddSaved(tensor, weights[tensor.Name], savedValue, trained: false);
            Parameters = [.. Named()];
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The model that the adapters are attached to.</summary>
    public LlamaModel Model { get; }

    /// <summary>Size and place of the adapters.</summary>
    public LoraOptions Options { get; }

    /// <summary>
    /// What an optimizer trains, under the names that PEFT gives the tensors: A [r, in] and B [out, r] of every adapter in float32, owned by the attachment, then the weights that are
    /// trained in full, which are the model's own, in its type.
    /// </summary>
    public IReadOnlyList<TrainableParameter> Parameters { get; } = [];

    /// <summary>Number of trainable values.</summary>
    public long ParameterCount => Parameters.Sum(p => p.Value.NumberOfElements);

    /// <summary>Whether the updates are part of the model's weights already.</summary>
    public bool IsMerged { get; private set; }

    internal LoraLayout Layout => _layout;

    internal LoraDropout Dropout => _dropout;

    internal IReadOnlyList<LoraTap> Taps => _taps;

    /// <summary>Attaches an adapter that PEFT or this library saved.</summary>
    /// <param name="folder">Folder with adapter_config.json and adapter_model.safetensors.</param>
    /// <param name="model">The base model, on its device and in its dtype.</param>
    /// <returns>The attachment; its parameters can be trained on.</returns>
    /// <exception cref="CheckpointException">The folder is not a complete adapter, asks for something not supported, or is for another base; all that does not fit is named.</exception>
    /// <exception cref="InvalidOperationException">A projection has a tap already.</exception>
    public static LoraAttachment Load(string folder, LlamaModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.EnsureAlive();
        using PeftFolder stored = PeftFolder.Open(folder);
        LoraLayout layout = stored.Bind(model.Config.Shape, $"the model '{model.Name}'");
        return new LoraAttachment(model, stored.Options, layout, t => (stored.Read(t.KeyA), stored.Read(t.KeyB)), t => stored.Read(LoraLayout.KeyOf(t)));
    }

    /// <summary>Writes the adapters in the layout of PEFT: adapter_config.json and adapter_model.safetensors.</summary>
    /// <param name="folder">Appears complete or not at all.</param>
    /// <param name="overwrite">Whether an adapter folder that is there may be replaced; default false.</param>
    /// <param name="cancellationToken">Checked before every tensor.</param>
    /// <exception cref="CheckpointException">The folder exists or cannot be written.</exception>
    public void Save(string folder, bool overwrite = false, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Model.EnsureAlive();
        ArgumentException.ThrowIfNullOrEmpty(folder);
        using IDisposable noGrad = no_grad();
        Dictionary<string, Parameter> values = Parameters.ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal);
        PeftFolder.Write(folder, Options, _layout, Model.Name, key => (values.TryGetValue(key, out Parameter? value) ? value : _saved[key].Weight).cpu().contiguous(), overwrite, cancellationToken);
    }

    /// <summary>Adds every update to its weight, computed in float32 and rounded once to the weight's type, and detaches the adapters.</summary>
    /// <param name="safe">As PEFT's safe_merge: the update is rounded to the weight's type first and added in that type, which differs in 16 bits. Default false.</param>
    /// <exception cref="InvalidOperationException">The updates were merged already.</exception>
    /// <exception cref="LoraException">The model shares its weights with another, or a merged weight would hold a value that is not finite; no weight is changed then.</exception>
    public void Merge(bool safe = false)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Model.EnsureAlive();
        if (IsMerged)
            throw new InvalidOperationException("These adapters were merged already.");
        if (Model.SharesWeights)
            throw new LoraException("This model shares its weights with another, which merging would change too. Save the adapters, cut the model with ModelSurgery, and load and merge them there.");
        using IDisposable noGrad = no_grad();
        foreach (LoraTap tap in _taps)
            foreach ((_, Tensor merged) in LoraArithmetic.Merge(tap, safe))
                LoraArithmetic.EnsureFinite(merged, tap.Target.Weight.Name);
        foreach ((string key, (Parameter weight, _)) in _saved)
            LoraArithmetic.EnsureFinite(weight, key);
        foreach (LoraTap tap in _taps)
            foreach ((Tensor rows, Tensor merged) in LoraArithmetic.Merge(tap, safe))
                rows.copy_(merged);
        IsMerged = true;
        _attached.ForEach(a => a.Dispose());
    }

    /// <summary>Detaches the adapters and frees their weights. Weights that were trained in full become what they were, unless they were merged.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        using IDisposable noGrad = no_grad();
        _attached.ForEach(a => a.Dispose());
        foreach (LoraTap tap in _taps)
        {
            tap.A.Dispose();
            tap.B.Dispose();
        }

        foreach ((Parameter weight, Tensor original) in _saved.Values)
        {
            if (!IsMerged && !Model.IsDisposed)
                weight.copy_(original);
            if (!Model.IsDisposed)
                weight.grad = null;
            original.Dispose();
        }

        if (Model.IsDisposed)
            return;
        foreach ((Parameter weight, bool required) in _required)
            weight.requires_grad = required;
    }

    private void Freeze()
    {
        foreach ((_, Parameter weight) in Model.NamedWeights())
        {
            _required.Add((weight, weight.requires_grad));
            weight.requires_grad = false;
        }
    }

    private void Add(LoraTarget target, (Tensor A, Tensor B) factors)
    {
        Projection projection = ProjectionOf(target.Weight);
        Parameter a = Weights.Own(factors.A.to(Model.Device), requiresGrad: true);
        Parameter b = Weights.Own(factors.B.to(Model.Device), requiresGrad: true);
        var tap = new LoraTap(target, (ulong)_taps.Count, projection, a, b, _dropout);
        _taps.Add(tap);
        _attached.Add(projection.Attach(tap));
    }

    private void AddSaved(LlamaTensor tensor, Parameter weight, Func<LlamaTensor, Tensor>? value, bool trained)
    {
        _saved.Add(LoraLayout.KeyOf(tensor), (weight, weight.detach().clone().DetachFromDisposeScope()));
        if (value is not null)
            weight.copy_(value(tensor));
        weight.requires_grad = trained;
    }

    private IEnumerable<TrainableParameter> Named() =>
        _taps.SelectMany(t => new[] { new TrainableParameter(t.Target.KeyA, t.A), new TrainableParameter(t.Target.KeyB, t.B) })
            .Concat(_layout.Saved.Select(LoraLayout.KeyOf).Select(key => new TrainableParameter(key, _saved[key].Weight)));

    private Projection ProjectionOf(LlamaTensor weight)
    {
        LlamaBlock block = Model.layers[weight.Layer];
        return weight.Part switch
        {
            LlamaPart.Query => block.self_attn!.q_proj,
            LlamaPart.Key => block.self_attn!.k_proj,
            LlamaPart.Value => block.self_attn!.v_proj,
            LlamaPart.Output => block.self_attn!.o_proj,
            LlamaPart.Gate => block.mlp!.gate_proj,
            LlamaPart.Up => block.mlp!.up_proj,
            _ => block.mlp!.down_proj,
        };
    }
}
