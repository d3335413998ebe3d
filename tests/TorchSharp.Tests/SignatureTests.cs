// The drop-in offers nothing that TorchSharp does not: the product then compiles unchanged against the package.
using System.IO.Compression;
using System.Reflection;
using TorchSharp;

namespace TorchSharpTests;

public class SignatureTests
{
    private const BindingFlags Declared = BindingFlags.DeclaredOnly | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance;

    private static readonly Lazy<string[][]> Listed = new(() =>
    {
        using Stream packed = typeof(SignatureTests).Assembly.GetManifestResourceStream("torchsharp-api.txt.gz")!;
        using var reader = new StreamReader(new GZipStream(packed, CompressionMode.Decompress));
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => !l.StartsWith('#')).Select(l => l.Split(" | ", 3)).ToArray();
    });

    private static IEnumerable<Type> PublicTypes() =>
        typeof(torch).Assembly.GetTypes().Where(t => t.IsVisible && t.Namespace?.StartsWith("TorchSharp", StringComparison.Ordinal) == true);

    [Fact]
    public void Every_public_member_is_one_of_TorchSharps()
    {
        HashSet<string> known = Listed.Value.Select(l => $"{l[0]} | {l[1]} | {SignatureFormatter.Normalise(l[2])}").ToHashSet();
        List<string> foreign = [];
        foreach (Type type in PublicTypes().Where(t => !typeof(Delegate).IsAssignableFrom(t)))
        {
            foreach (MemberInfo member in type.GetMembers(Declared))
            {
                if (SignatureFormatter.Format(member) is not { } text) continue;
                string line = $"{SignatureFormatter.FullName(type)} | {SignatureFormatter.Normalise(text)}";
                if (!known.Contains(line)) foreign.Add(line);
            }
        }

        Assert.True(foreign.Count == 0, $"{foreign.Count} members are not TorchSharp's:\n" + string.Join("\n", foreign.Order()));
    }

    [Fact]
    public void Every_public_type_is_one_of_TorchSharps_with_no_more_bases()
    {
        Dictionary<string, string> headers = Listed.Value.Where(l => l[1] == "type").ToDictionary(l => l[0], l => SignatureFormatter.Normalise(l[2]));
        List<string> foreign = [];
        foreach (Type type in PublicTypes())
        {
            string name = SignatureFormatter.FullName(type);
            if (!headers.TryGetValue(name, out string? header))
            {
                foreign.Add(name);
                continue;
            }

            string kind = type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsValueType ? "struct"
                : type is { IsAbstract: true, IsSealed: true } ? "static class" : type.IsAbstract ? "abstract class" : type.IsSealed ? "sealed class" : "class";
            if (!header.Contains($" {kind} {name}", StringComparison.Ordinal) || (kind == "class" && header.Contains(" sealed ", StringComparison.Ordinal)))
                foreign.Add($"{name}: is a {kind}, expected: {header}");
            IEnumerable<Type> bases = type.GetInterfaces();
            if (type.BaseType is { } b && b != typeof(object) && !type.IsValueType && !type.IsEnum) bases = bases.Append(b);
            foreach (Type t in type.IsEnum ? [] : bases.Where(t => t.IsVisible))
            {
                if (!header.Contains(SignatureFormatter.Normalise(SignatureFormatter.TypeName(t)), StringComparison.Ordinal)) foreign.Add($"{name}: is no {SignatureFormatter.TypeName(t)} in {header}");
            }
        }

        Assert.True(foreign.Count == 0, string.Join("\n", foreign));
    }
}
