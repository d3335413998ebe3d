namespace LlmShearing.Model;

/// <summary>What a key absent from config.json means: the defaults of the model type's own configuration class in transformers.</summary>
internal sealed record ConfigDefaults(
    string ModelType, int VocabSize, int IntermediateSize, int? KeyValueHeads, int MaxPositionEmbeddings, int? BosTokenId, int? EosTokenId)
{
    public static ConfigDefaults For(string modelType) => modelType switch
    {
        "mistral" => new(modelType, 32000, 14336, 8, 131072, 1, 2),
        "qwen2" => new(modelType, 151936, 22016, 32, 32768, null, null),
        _ => new(modelType, 32000, 11008, null, 2048, 1, 2),
    };
}
