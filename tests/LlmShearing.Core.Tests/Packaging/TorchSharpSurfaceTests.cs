// Which TorchSharp members the product uses, written down in api/torchsharp-surface.txt. Keeping them few keeps the drop-in small
// and the product portable; growth is a reviewed decision. To accept a change: LLMSHEARING_UPDATE_API=1 ./build.sh test
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using LlmShearing.Testing;

namespace LlmShearing.Tests.Packaging;

public class TorchSharpSurfaceTests
{
    [Fact]
    public void Product_UsesExactlyTheTorchSharpMembersInTheSnapshot()
    {
        string folder = Path.GetDirectoryName(typeof(LlamaModel).Assembly.Location)!;
        SortedSet<string> used = new(StringComparer.Ordinal);
        foreach (string assembly in new[] { "LlmShearing.Core" })
            used.UnionWith(Members(Path.Combine(folder, assembly + ".dll")));
        string snapshot = Path.Combine(Goldens.RepositoryRoot, "api", "torchsharp-surface.txt");
        if (Environment.GetEnvironmentVariable("LLMSHEARING_UPDATE_API") == "1")
            File.WriteAllLines(snapshot, used);
        string[] expected = File.ReadAllLines(snapshot);
        Assert.True(
            used.SetEquals(expected),
            $"The product's use of TorchSharp changed.\nNew: {string.Join(", ", used.Except(expected))}\nGone: {string.Join(", ", expected.Except(used))}\nIf that is meant, run the tests once with LLMSHEARING_UPDATE_API=1 and commit api/torchsharp-surface.txt.");
    }

    // Names of all members of the assembly TorchSharp that are referenced, without parameter lists: overloads count once.
    private static IEnumerable<string> Members(string path)
    {
        using var file = new PEReader(File.OpenRead(path));
        MetadataReader metadata = file.GetMetadataReader();
        foreach (MemberReferenceHandle handle in metadata.MemberReferences)
        {
            MemberReference member = metadata.GetMemberReference(handle);
            if (member.Parent.Kind == HandleKind.TypeReference && TypeName(metadata, (TypeReferenceHandle)member.Parent) is { } type)
                yield return $"{type}.{metadata.GetString(member.Name)}";
        }
    }

    private static string? TypeName(MetadataReader metadata, TypeReferenceHandle handle)
    {
        TypeReference type = metadata.GetTypeReference(handle);
        string name = metadata.GetString(type.Name);
        switch (type.ResolutionScope.Kind)
        {
            case HandleKind.TypeReference:
                return TypeName(metadata, (TypeReferenceHandle)type.ResolutionScope) is { } outer ? $"{outer}.{name}" : null;
            case HandleKind.AssemblyReference:
                AssemblyReference assembly = metadata.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope);
                if (metadata.GetString(assembly.Name) != "TorchSharp")
                    return null;
                string space = metadata.GetString(type.Namespace);
                return space.Length == 0 ? name : $"{space}.{name}";
            default:
                return null;
        }
    }
}
