// shear generate: continues a prompt, text streamed as it comes.
using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Terminal;
using LlmShearing.Model;
using LlmShearing.Tokenizers;

namespace LlmShearing.Cli.Commands;

internal sealed class GenerateCommand : ShearCommand
{
    private readonly ModelOptions _model = new();
    private readonly Option<string?> _prompt = Opt.Text("--prompt", "TEXT", "Text to continue.");
    private readonly Option<string?> _promptIds = Opt.Text("--prompt-ids", "IDS", "Token ids to continue, instead of text: 1,5,7.");
    private readonly Option<int?> _maxNewTokens = Opt.Int("--max-new-tokens", "N", "Tokens to generate at most.", 1, 64, maximum: Limits.RowLength);
    private readonly Option<double?> _temperature = Opt.Number("--temperature", "T", "0 takes the most likely token; higher is more random. [default: generation_config.json, else 0]", v => v is >= 0 and <= 1000, "a number from 0");
    private readonly Option<int?> _topK = Opt.Int("--top-k", "K", "Choose among the K most likely tokens; 0 = all. [default: generation_config.json, else 0]", 0);
    private readonly Option<double?> _topP = Opt.Number("--top-p", "P", "Choose among the most likely tokens that reach this probability together; 1 = all. [default: generation_config.json, else 1]", v => v is > 0 and <= 1, "a number above 0, at most 1");
    private readonly Option<double?> _repetition = Opt.Number("--repetition-penalty", "P", "Weaken tokens that were there already by this factor; 1 = not. [default: generation_config.json, else 1]", v => v is > 0 and <= 1000, "a number above 0, at most 1000");
    private readonly Option<int?> _seed = Opt.Int("--seed", "S", "Seed of the choice.", 0, 0);
    private readonly Option<bool> _noStop = Opt.Flag("--ignore-eos", "Go on after an end-of-sequence token.");

    public GenerateCommand(Surroundings surroundings)
        : base(
            surroundings,
            "generate",
            "Continues a prompt.",
            "shear generate MODEL --prompt \"The capital of France is\"",
            "shear generate MODEL --prompt \"Once upon\" --temperature 0.8 --top-p 0.95 --seed 7 --max-new-tokens 200")
    {
        Arguments.Add(_model.Folder);
        AddOptions(_prompt, _promptIds, _maxNewTokens, _temperature, _topK, _topP, _repetition, _seed, _noStop);
        AddOptions(_model.Compute.All);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        string folder = run.Get(_model.Folder);
        if ((run.Get(_prompt) is null) == (run.Get(_promptIds) is null))
            throw new UsageException("Give either --prompt or --prompt-ids.");
        // With ids the folder needs no tokenizer; the answer then is ids, too.
        ITokenizer? tokenizer = run.Get(_prompt) is not null ? ModelFolder.Tokenizer(folder) : null;
        int[] prompt = tokenizer is null ? Ids(run.Get(_promptIds)!) : tokenizer.Encode(run.Get(_prompt)!);
        if (prompt.Length == 0)
            throw new UsageException("The prompt has no tokens. Give some text.");
        GenerationConfig? file = GenerationConfig.Load(folder);
        Compute compute = _model.Compute.Read(run);
        using LlamaModel model = LlamaModel.Load(folder, compute.Type, compute.Device, progress: run.Progress, cancellationToken: run.Cancellation);
        SamplingOptions options = Sampling(run, file, model.Config, tokenizer?.EosTokenId);
        run.Progress.Clear();
        TextWriter? live = run.Json ? null : run.Surroundings.Out;
        var writer = new Continuation(tokenizer, live);
        long start = run.Surroundings.Time.GetTimestamp();
        foreach (GenerationStep step in LlamaGenerator.Generate(model, TokenBatch.FromRows([prompt]), options, run.Cancellation))
            writer.Add(step.Ids[0]);
        writer.End();
        double seconds = run.Surroundings.Time.GetElapsedTime(start).TotalSeconds;
        run.Result(
            () => new JsonObject
            {
                ["text"] = writer.Text,
                ["ids"] = Numbers.Json(writer.Ids),
                ["prompt_ids"] = Numbers.Json(prompt),
                ["seconds"] = seconds,
            },
            console => run.Note($"{writer.Ids.Count} tokens, {Numbers.Significant(writer.Ids.Count / seconds, 3)} tokens/s"));
    }

    // What the user gave, else what the model's own file says. The end that the tokenizer's files name ends a text in any case:
    // a model trained with another one often keeps the configuration of its base.
    private SamplingOptions Sampling(Invocation run, GenerationConfig? file, LlamaConfig model, int? end)
    {
        SamplingOptions defaults = file?.ToSamplingOptions() ?? new SamplingOptions();
        int vocabulary = model.Shape.VocabSize;
        if (file?.EosTokenIds?.Where(id => id >= vocabulary).ToArray() is { Length: > 0 } beyond)
            run.Note($"{GenerationConfig.FileName} names end-of-sequence ids beyond the vocabulary of {vocabulary}, which never come: {string.Join(", ", beyond)}.");
        SamplingOptions options = defaults with
        {
            MaxNewTokens = run.Get(_maxNewTokens)!.Value,
            Temperature = run.Get(_temperature) ?? defaults.Temperature,
            TopK = run.Get(_topK) ?? defaults.TopK,
            TopP = run.Get(_topP) ?? defaults.TopP,
            RepetitionPenalty = run.Get(_repetition) ?? defaults.RepetitionPenalty,
            Seed = run.Get(_seed)!.Value,
            StopIds = run.Get(_noStop) ? [] : end is { } id ? [.. defaults.StopIds ?? model.EosTokenIds, id] : defaults.StopIds,
            Logger = run.Log,
        };
        if (defaults.Temperature > 0 && run.Get(_temperature) is null)
            run.Note(string.Create(CultureInfo.InvariantCulture, $"sampling as {GenerationConfig.FileName} asks: temperature {options.Temperature}, top-k {options.TopK}, top-p {options.TopP}; --temperature 0 takes the most likely token"));
        if (defaults.RepetitionPenalty != 1 && run.Get(_repetition) is null)
            run.Note(string.Create(CultureInfo.InvariantCulture, $"repetition penalty {options.RepetitionPenalty} as {GenerationConfig.FileName} asks; --repetition-penalty 1 switches it off"));
        return options;
    }

    private static int[] Ids(string text)
    {
        string[] parts = text.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return [.. parts.Select(p => int.TryParse(p, NumberStyles.None, CultureInfo.InvariantCulture, out int id) ? id : throw new UsageException($"--prompt-ids: '{p}' is no token id."))];
    }

    /// <summary>Collects ids, and shows text as soon as its characters are complete.</summary>
    private sealed class Continuation(ITokenizer? tokenizer, TextWriter? live)
    {
        private readonly TokenStreamDecoder? _decoder = tokenizer?.CreateDecoder();
        private readonly System.Text.StringBuilder _text = new();

        public List<int> Ids { get; } = [];

        public string? Text => tokenizer is null ? null : _text.ToString();

        public void Add(int id)
        {
            Ids.Add(id);
            Show(_decoder is null ? $"{(Ids.Count > 1 ? " " : "")}{id}" : _decoder.Append(id));
        }

        public void End()
        {
            Show(_decoder?.Flush());
            live?.WriteLine();
        }

        private void Show(string? piece)
        {
            if (string.IsNullOrEmpty(piece))
                return;
            _text.Append(piece);
            live?.Write(piece);
            live?.Flush();
        }
    }
}
