using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Tokenizers.PreTokenization;

namespace LlmShearing.Tokenizers.Tests;

/// <summary>The hand-written pattern scanners against the pieces of the reference library.</summary>
public class PreTokenizerPiecesTests
{
    private const string Pieces = VectorFile.Folder + "pretokenizer-pieces.json";

    [GoldenTheory(Pieces)]
    [InlineData("llama3")]
    [InlineData("qwen2")]
    [InlineData("gpt2")]
    [InlineData("smollm2")]
    public void Split_EveryString_GivesTheReferencePieces(string kind)
    {
        PieceScanner scanner = kind switch
        {
            "llama3" => new Llama3Scanner(3),
            "qwen2" => new Llama3Scanner(1),
            _ => Gpt2Scanner.Instance,
        };
        PreTokenizer split = new SplitStep(scanner, SplitBehavior.Isolated);
        PreTokenizer[] steps = kind == "smollm2" ? [new SplitStep(new DigitScanner(true), SplitBehavior.Isolated), split] : [split];

        var file = new VectorFile("pretokenizer-pieces.json");
        foreach (JsonObject vector in file.Section("vectors"))
        {
            string text = VectorFile.Text(vector);
            string expected = string.Join('|', vector[kind]!.AsArray().Select(p => (string)p!));
            file.Compare($"{vector["name"]}", expected, string.Join('|', TestPieces.Of(text, steps)));
        }
        file.AssertSame(324);
    }
}

internal static class TestPieces
{
    public static List<string> Of(string text, params PreTokenizer[] steps)
    {
        var words = new List<string>();
        new PieceFlow(steps, word => words.Add(new string(word))).Send(text, atStart: true);
        return words;
    }
}
