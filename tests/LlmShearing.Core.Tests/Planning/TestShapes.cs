// Shapes of real and tiny models, and random plans, for planning tests.

namespace LlmShearing.Core.Tests.Planning;

internal static class TestShapes
{
    public static LlamaShape Mha12 => Uniform(12, 32, 4, 4, 8, 88, 260);

    public static LlamaShape Gqa10 => Uniform(10, 48, 6, 2, 8, 80, 260) with { TiedEmbeddings = true };

    public static LlamaShape SmolLm2 => Uniform(30, 576, 9, 3, 64, 1536, 49152) with { TiedEmbeddings = true };

    public static LlamaShape Llama7B => Uniform(32, 4096, 32, 32, 128, 11008, 32000);

    public static LlamaShape Llama13B => Uniform(40, 5120, 40, 40, 128, 13824, 32000);

    public static LlamaShape Llama3Of8B => Uniform(32, 4096, 32, 8, 128, 14336, 128256);

    public static LlamaShape Mistral7B => Uniform(32, 4096, 32, 8, 128, 14336, 32000);

    public static LlamaShape Gemma2B => Uniform(18, 2048, 8, 1, 256, 16384, 256000) with { TiedEmbeddings = true };

    public static LlamaShape Gemma7B => Uniform(28, 3072, 16, 16, 256, 24576, 256000) with { TiedEmbeddings = true };

    public static LlamaShape Of(string model) => model switch
    {
        "mha12" => Mha12,
        "gqa10" => Gqa10,
        "LLaMA-7B" => Llama7B,
        "LLaMA-13B" => Llama13B,
        "Llama-3-8B" => Llama3Of8B,
        "Mistral-7B" => Mistral7B,
        "Gemma-2b" => Gemma2B,
        "Gemma-7b" => Gemma7B,
        _ => throw new ArgumentException(model),
    };

    public static LlamaShape Uniform(int layers, int hidden, int query, int keyValue, int headDim, int intermediate, int vocab) => new()
    {
        VocabSize = vocab,
        HiddenSize = hidden,
        HeadDim = headDim,
        Layers = [.. Enumerable.Repeat(new LayerShape(query, keyValue, intermediate), layers)],
    };

    /// <summary>A plan that keeps random units: at least one block and channel, sometimes no heads or no intermediate channel in a block.</summary>
    public static PruningPlan RandomPlan(LlamaShape source, Random random) => new()
    {
        Source = source,
        Hidden = Subset(source.HiddenSize, random, atLeast: 1),
        Layers =
        [
            .. Subset(source.Layers.Length, random, atLeast: 1).Indices.Select(i => new LayerPlan(
                i, Subset(source.Layers[i].QueryHeads, random), Subset(source.Layers[i].IntermediateSize, random)))
        ],
        Provenance = random.Next(3) == 0 ? null : new PlanProvenance($"s{random.Next(3)}", random.Next(2) == 0 ? null : "st"),
    };

    public static IndexSet Subset(int size, Random random, int atLeast = 0)
    {
        int count = size == 0 ? 0 : random.Next(atLeast, size + 1);
        int[] all = [.. Enumerable.Range(0, size)];
        random.Shuffle(all);
        return IndexSet.Of(all.Take(count));
    }

    public static ImportanceScores LayerScores(LlamaShape shape, IEnumerable<double> values, string scorer = "test") =>
        new ImportanceScores(shape, scorer).With(PruningAxes.Layers, values);

    /// <summary>Random scores on every axis, with many ties.</summary>
    public static ImportanceScores RandomScores(LlamaShape shape, Random random)
    {
        IEnumerable<double> Row(int count) => [.. Enumerable.Range(0, count).Select(_ => (double)random.Next(7))];
        return new ImportanceScores(shape, "random")
            .With(PruningAxes.Hidden, Row(shape.HiddenSize))
            .With(PruningAxes.Layers, Row(shape.Layers.Length))
            .With(PruningAxes.QueryHeads, shape.Layers.Select(l => Row(l.QueryHeads)))
            .With(PruningAxes.Intermediate, shape.Layers.Select(l => Row(l.IntermediateSize)));
    }

    public static int[] RemovalOrder(PruningPlan plan) => [.. plan.Provenance!.RemovedBlocks!];
}
