// Everything that is wrong with the tensors of a folder at once, so that one look is enough.
using System.Collections.Immutable;
using System.Text;

namespace LlmShearing.Checkpoints;

/// <summary>How the tensors of a checkpoint folder compare with what its config.json asks for.</summary>
public sealed record CheckpointReport
{
    private const int Shown = 20;

    /// <summary>Tensors that the configuration asks for and no file has.</summary>
    public ImmutableArray<string> Missing { get; init; } = [];

    /// <summary>Tensors that the configuration has no use for; leaving them out would change the model.</summary>
    public ImmutableArray<string> Unexpected { get; init; } = [];

    /// <summary>Tensors of another shape, each as "name: expected [..], found [..]".</summary>
    public ImmutableArray<string> WrongShape { get; init; } = [];

    /// <summary>Tensors of a type that is no plain float, each as "name: type".</summary>
    public ImmutableArray<string> WrongDtype { get; init; } = [];

    /// <summary>Tensors that are known to be of no use and are ignored: stored rotary frequencies, and the output projection of a tied model.</summary>
    public ImmutableArray<string> Ignored { get; init; } = [];

    /// <summary>Whether the folder holds exactly the model that its configuration describes.</summary>
    public bool IsComplete => Missing.IsEmpty && Unexpected.IsEmpty && WrongShape.IsEmpty && WrongDtype.IsEmpty;

    /// <summary>All problems, one a line; at most 20 names of each kind are listed.</summary>
    /// <returns>Empty when there are none.</returns>
    public override string ToString()
    {
        var text = new StringBuilder();
        Append(text, "missing", Missing);
        Append(text, "unexpected", Unexpected);
        Append(text, "wrong shape", WrongShape);
        Append(text, "wrong dtype (weights must be F64, F32, F16 or BF16)", WrongDtype);
        return text.ToString();
    }

    internal static CheckpointReport Compare(LlamaShape shape, IReadOnlyDictionary<string, CheckpointTensor> found)
    {
        var missing = ImmutableArray.CreateBuilder<string>();
        var wrongShape = ImmutableArray.CreateBuilder<string>();
        var expected = new HashSet<string>(StringComparer.Ordinal);
        foreach (LlamaTensor tensor in LlamaTensorNames.Enumerate(shape))
        {
            expected.Add(tensor.Name);
            if (!found.TryGetValue(tensor.Name, out CheckpointTensor? stored))
                missing.Add(tensor.Name);
            else if (!stored.Shape.AsSpan().SequenceEqual(tensor.Shape.AsSpan()))
                wrongShape.Add($"{tensor.Name}: expected [{string.Join(", ", tensor.Shape)}], found [{string.Join(", ", stored.Shape)}]");
        }

        // A tied model may have stored its output projection as well; the embedding wins, as in transformers.
        bool Ignorable(string name) => LlamaTensorNames.IsIgnorable(name) || (shape.TiedEmbeddings && name == LlamaTensorNames.Head);
        string[] others = [.. found.Keys.Where(name => !expected.Contains(name)).Order(StringComparer.Ordinal)];
        return new CheckpointReport
        {
            Missing = missing.ToImmutable(),
            WrongShape = wrongShape.ToImmutable(),
            Unexpected = [.. others.Where(name => !Ignorable(name))],
            Ignored = [.. others.Where(Ignorable)],
            WrongDtype = [.. found.Values.Where(t => expected.Contains(t.Name) && !t.Dtype.IsWeight()).Select(t => $"{t.Name}: {t.Dtype.FormatName()}")],
        };
    }

    private static void Append(StringBuilder text, string kind, ImmutableArray<string> names)
    {
        if (names.IsEmpty)
            return;
        text.Append("\n  ").Append(names.Length).Append(' ').Append(kind).Append(':');
        foreach (string name in names.Take(Shown))
            text.Append("\n    ").Append(name);
        if (names.Length > Shown)
            text.Append("\n    and ").Append(names.Length - Shown).Append(" more");
    }
}
