// generation_config.json: which tokens end a text, and how the next token is chosen unless the caller says otherwise.
using System.Collections.Immutable;
using System.Text.Json.Nodes;
using LlmShearing.Json;

namespace LlmShearing.Model;

/// <summary>What the generation_config.json of a model folder says, as far as it is used here. Members that the file lacks are null.</summary>
public sealed record GenerationConfig
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "generation_config.json";

    // What the Hugging Face libraries take when sampling is on and the file is silent.
    private const double DefaultTemperature = 1, DefaultTopP = 1;
    private const int DefaultTopK = 50;

    /// <summary>Ids that end a text; they come before those of config.json. Null = the file says nothing.</summary>
    public ImmutableArray<int>? EosTokenIds { get; init; }

    /// <summary>Whether tokens are drawn. Otherwise the most likely one is taken, whatever the other settings say.</summary>
    public bool DoSample { get; init; }

    /// <summary>Logits are divided by this.</summary>
    public double? Temperature { get; init; }

    /// <summary>Keep the k most likely tokens; 0 = all.</summary>
    public int? TopK { get; init; }

    /// <summary>Keep the most likely tokens that reach this probability together.</summary>
    public double? TopP { get; init; }

    /// <summary>Logits of tokens that are in the text already are weakened by this factor; 1 = not.</summary>
    public double? RepetitionPenalty { get; init; }

    /// <summary>Reads the file of a model folder.</summary>
    /// <param name="folder">Hugging Face folder.</param>
    /// <returns>What it says; null when the folder has no such file.</returns>
    /// <exception cref="CheckpointException">The file cannot be read, or a value is not what it should be; the message names it.</exception>
    public static GenerationConfig? Load(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        string path = Path.Combine(folder, FileName);
        return File.Exists(path) ? Read(new ConfigReader(JsonFile.ReadObject(path), path)) : null;
    }

    /// <summary>Settings for <see cref="LlamaGenerator"/> as the file asks for.</summary>
    /// <returns>Greedy without <see cref="DoSample"/>; with it, what the file leaves out is as in the Hugging Face libraries: temperature 1, top-k 50, top-p 1.</returns>
    public SamplingOptions ToSamplingOptions() => new()
    {
        StopIds = EosTokenIds is { } ids ? [.. ids] : null,
        Temperature = DoSample ? Temperature ?? DefaultTemperature : 0,
        TopK = DoSample ? TopK ?? DefaultTopK : 0,
        TopP = DoSample ? TopP ?? DefaultTopP : 1,
        RepetitionPenalty = RepetitionPenalty ?? 1,
    };

    private static GenerationConfig Read(ConfigReader json)
    {
        var config = new GenerationConfig
        {
            EosTokenIds = Ids(json, "eos_token_id"),
            DoSample = json.Bool("do_sample", false),
            Temperature = json.Double("temperature"),
            TopK = json.Int("top_k"),
            TopP = json.Double("top_p"),
            RepetitionPenalty = json.Double("repetition_penalty"),
        };
        if (config.Temperature is < 0 or > SamplingOptions.MaxTemperature)
            throw json.Wrong("temperature", "a number from 0 to 1000");
        if (config.TopK < 0)
            throw json.Wrong("top_k", "a whole number from 0");
        // 0 is written by some tools for "only the most likely one".
        if (config.TopP is < 0 or > 1)
            throw json.Wrong("top_p", "a number from 0 to 1");
        if (config.RepetitionPenalty is <= 0 or > SamplingOptions.MaxRepetitionPenalty)
            throw json.Wrong("repetition_penalty", "a number above 0, at most 1000");
        return config.TopP == 0 ? config with { TopP = 1, TopK = 1 } : config;
    }

    private static ImmutableArray<int>? Ids(ConfigReader json, string key)
    {
        if (!json.Has(key))
            return null;
        if (json.Json[key] is not JsonArray list)
            return [Id(json, key, json.Json[key]!)];
        return [.. list.Select(node => Id(json, key, node))];
    }

    private static int Id(ConfigReader json, string key, JsonNode? node) =>
        node is JsonValue value && value.GetValueKind() == System.Text.Json.JsonValueKind.Number && value.TryGetValue(out int id) && id >= 0
            ? id
            : throw json.Wrong(key, "a token id or a list of them");
}
