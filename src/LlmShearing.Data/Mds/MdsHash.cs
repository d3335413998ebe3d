// The digests that an MDS index may state. Python's hashlib and xxhash have more of them than .NET; those that cannot be computed here are skipped by name.
using System.Security.Cryptography;
using LlmShearing.Data.Compression;

namespace LlmShearing.Data.Mds;

/// <summary>A digest that is fed in pieces and gives lower-case hex, as Python's hexdigest.</summary>
internal sealed class MdsHash : IDisposable
{
    private readonly IncrementalHash? _hash;
    private readonly XxHash64? _xx;

    private MdsHash(IncrementalHash hash) => _hash = hash;

    private MdsHash(XxHash64 xx) => _xx = xx;

    /// <summary>Names that can be computed on every machine.</summary>
    public static IReadOnlyList<string> Names { get; } = ["md5", "sha1", "sha256", "sha384", "sha512", "xxh64"];

    /// <returns>Null when this name cannot be computed here.</returns>
    public static MdsHash? Create(string name) => name switch
    {
        "xxh64" => new MdsHash(new XxHash64()),
        "md5" => Of(HashAlgorithmName.MD5),
        "sha1" => Of(HashAlgorithmName.SHA1),
        "sha256" => Of(HashAlgorithmName.SHA256),
        "sha384" => Of(HashAlgorithmName.SHA384),
        "sha512" => Of(HashAlgorithmName.SHA512),
        "sha3_256" when SHA3_256.IsSupported => Of(HashAlgorithmName.SHA3_256),
        "sha3_384" when SHA3_384.IsSupported => Of(HashAlgorithmName.SHA3_384),
        "sha3_512" when SHA3_512.IsSupported => Of(HashAlgorithmName.SHA3_512),
        _ => null,
    };

    public void Append(ReadOnlySpan<byte> data)
    {
        _hash?.AppendData(data);
        _xx?.Append(data);
    }

    public string Hex() => _xx is not null
        ? _xx.Finish().ToString("x16", System.Globalization.CultureInfo.InvariantCulture)
        : Convert.ToHexStringLower(_hash!.GetHashAndReset());

    public void Dispose() => _hash?.Dispose();

    private static MdsHash Of(HashAlgorithmName name) => new(IncrementalHash.CreateHash(name));
}
