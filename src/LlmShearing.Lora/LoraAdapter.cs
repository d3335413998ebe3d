using LlmShearing.Training.Steps;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

namespace LlmShearing.Lora;

/// <summary>Attaches fresh low-rank adapters under the given options.</summary>
/// <remarks>Threads may share one instance, each with a model of its own: attaching changes the model.</remarks>
public sealed class LoraAdapter : ILoraAdapter
{
    private readonly ILogger _logger;

    /// <summary>Creates the adapter.</summary>
    /// <param name="options">Options; null = the defaults.</param>
    /// <param name="logger">Optional.</param>
    /// <exception cref="LoraException">An option is out of range.</exception>
    public LoraAdapter(LoraOptions? options = null, ILogger<LoraAdapter>? logger = null)
    {
        Options = options ?? new LoraOptions();
        _logger = logger ?? NullLogger<LoraAdapter>.Instance;
        if (Options.Problems() is { Count: > 0 } problems)
            throw new LoraException(string.Join(" ", problems));
    }

    /// <inheritdoc/>
    public LoraOptions Options { get; }

    /// <inheritdoc/>
    public LoraAttachment Attach(LlamaModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.EnsureAlive();
        LoraLayout layout = LoraLayout.Create(Options, model.Config.Shape, strict: true);
        ulong stream = 0;
        var attachment = new LoraAttachment(model, Options, layout, target => Begin(target, stream++));
        LoraLog.Attached(_logger, layout.Targets.Length, attachment.ParameterCount, model.Config.Shape.ParameterCount);
        return attachment;
    }

    // Drawn on the CPU, so that every device begins with the same numbers.
    private (Tensor A, Tensor B) Begin(LoraTarget target, ulong stream)
    {
        using var generator = new Generator(new MicroBatchKey(0, 0, Options.Seed).Derive(stream), CPU);
        Tensor a = empty([.. target.ShapeA], dtype: ScalarType.Float32, device: CPU);                  // [r, in]
        if (Options.Init == LoraInit.Gaussian)
        {
            a.normal_(0, 1.0 / target.Rank, generator);
        }
        else
        {
            double bound = 1 / Math.Sqrt(target.ShapeA[1]);
            a.uniform_(-bound, bound, generator);
        }

        return (a, zeros([.. target.ShapeB], dtype: ScalarType.Float32, device: CPU));                 // [out, r]
    }
}
