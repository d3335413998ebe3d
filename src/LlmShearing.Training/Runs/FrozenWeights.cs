// Weights that are not trained are not stored in checkpoints; a fingerprint says whether they are still the same ones.
using System.Security.Cryptography;
using System.Text;
using LlmShearing.Files;
using LlmShearing.Training.Steps;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlmShearing.Training.Runs;

internal static class FrozenWeights
{
    private const long ChunkElements = 1 << 22;

    /// <summary>A fingerprint of all weights of the model that do not require gradients: SHA-256 over name, CRC-32C of the bytes. Empty when there are none.</summary>
    public static string Fingerprint(ITrainable trainable)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using IDisposable frozen = no_grad();
        bool any = false;
        foreach ((string name, Parameter weight) in trainable.Model.NamedWeights().Where(w => !w.Weight.requires_grad))
        {
            using var scope = NewDisposeScope();
            Tensor flat = weight.cpu().contiguous().view(-1);                                            // [elements]
            uint crc = 0;
            for (long start = 0; start < flat.NumberOfElements; start += ChunkElements)
                crc = Crc32C.Compute(flat.narrow(0, start, Math.Min(ChunkElements, flat.NumberOfElements - start)).bytes, crc);
            hash.AppendData(Encoding.UTF8.GetBytes($"{name} {flat.dtype} {crc:x8}\n"));
            any = true;
        }

        return any ? Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 8)) : "";
    }
}
