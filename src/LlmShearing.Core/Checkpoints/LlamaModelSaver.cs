// From a model in memory to a folder.
using System.Buffers;
using System.Runtime.InteropServices;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Checkpoints;

/// <summary>Saves models. <c>LlamaModel.Save</c> is the short way in.</summary>
internal static class LlamaModelSaver
{
    private const int ChunkElements = 1 << 20;

    public static void Save(
        LlamaModel model,
        string folder,
        ScalarType? dtype,
        LlamaCheckpointWriterOptions? options,
        IProgress<ShearingProgress>? progress,
        CancellationToken cancellationToken)
    {
        model.EnsureAlive();
        LlamaConfig config = dtype is { } wanted ? model.Config with { StoredDtype = Name(wanted) } : model.Config;
        Dictionary<string, Parameter> weights = model.NamedWeights().ToDictionary(w => w.Name, w => w.Weight, StringComparer.Ordinal);
        LlamaCheckpointWriter.Write(folder, config, (tensor, sink) => Write(weights[tensor.Name], tensor, sink), options, progress, cancellationToken);
    }

    private static void Write(Parameter weight, LlamaTensor tensor, TensorSink sink)
    {
        using var scope = NewDisposeScope();
        using IDisposable frozen = no_grad();
        if (!weight.shape.AsSpan().SequenceEqual(tensor.Shape.AsSpan()))
            throw new InvalidOperationException($"'{tensor.Name}' is [{string.Join(", ", weight.shape)}] in the model, but its configuration asks for [{string.Join(", ", tensor.Shape)}].");
        Tensor flat = weight.cpu().contiguous().view(-1);                                            // [elements]
        SafetensorsDtype held = CheckpointMemory.StoredAs(flat.dtype);
        long total = flat.NumberOfElements;
        float[] floats = held == SafetensorsDtype.F32 || held == sink.Tensor.Dtype ? [] : ArrayPool<float>.Shared.Rent(ChunkElements);
        for (long start = 0; start < total; start += ChunkElements)
        {
            using Tensor part = flat.narrow(0, start, Math.Min(ChunkElements, total - start));
            Span<byte> bytes = part.bytes;
            if (held == sink.Tensor.Dtype)
            {
                sink.Write(bytes);
            }
            else if (held == SafetensorsDtype.F32)
            {
                sink.WriteFloat32(MemoryMarshal.Cast<byte, float>(bytes));
            }
            else
            {
                Span<float> wide = floats.AsSpan(0, (int)part.NumberOfElements);
                DtypeConversion.ToFloat32(held, bytes, wide);
                sink.WriteFloat32(wide);
            }
        }

        if (floats.Length > 0)
            ArrayPool<float>.Shared.Return(floats);
    }

    private static string Name(ScalarType dtype) => CheckpointMemory.StoredAs(dtype) switch
    {
        SafetensorsDtype.F16 => "float16",
        SafetensorsDtype.BF16 => "bfloat16",
        _ => "float32",
    };
}
