// One model pruned to a folder, with its perplexity before and after. Shared by `prune` and `demo`.
using LlmShearing.Data.Rows;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Data.Corpus;
using LlmShearing.Evaluation;
using LlmShearing.Surgery;
using LlmShearing.Tokenizers;

namespace LlmShearing.Cli.Commands;

/// <param name="Plan">The plan, and the scores it rests on.</param>
/// <param name="Folder">Folder written.</param>
/// <param name="WasComplete">Whether it was there before.</param>
/// <param name="Seconds">Time to score, plan and cut; measuring not included.</param>
/// <param name="Before">Perplexity of the model; null without text.</param>
/// <param name="After">Perplexity of the folder written; null without text.</param>
internal sealed record PruningResult(PlanResult Plan, string Folder, bool WasComplete, double Seconds, double? Before, double? After);

/// <summary>Text or ids to measure perplexity on, and how.</summary>
internal sealed record EvaluationText(string Path, IReadOnlyList<string>? Records, IReadOnlyList<int[]>? Ids, PerplexityProtocol Protocol)
{
    /// <param name="path">Text, or ids in a .json file.</param>
    /// <param name="protocol">Name of the protocol, or null.</param>
    /// <param name="field">Member that holds the text of JSON Lines, or null.</param>
    public static EvaluationText Read(string path, string? protocol, string? field)
    {
        bool ids = System.IO.Path.GetExtension(path).Equals(".json", StringComparison.OrdinalIgnoreCase);
        PerplexityProtocol rules = PerplexityProtocol.Preset(protocol ?? (ids ? "rows" : "documents"));
        return ids ? new EvaluationText(path, null, IdsFile.Read(path), rules) : new EvaluationText(path, TextFile.Read(path, CorpusFile.IsJsonLines(path) ? field : null).Records, null, rules);
    }

    public IReadOnlyList<int[]> Rows(string modelFolder)
    {
        int vocabulary = ModelFolder.Config(modelFolder).Shape.VocabSize;
        if (Ids is not null)
        {
            Ids.EnsureIdsBelow(vocabulary, Path);
            return Ids;
        }

        ITokenizer tokenizer = TokenizerLoader.Load(modelFolder);
        VocabularyCheck.Texts(Path, Records!, tokenizer, vocabulary);
        return EvaluationOptions.Encode(Records!, Protocol, tokenizer);
    }
}

internal static class PruningRun
{
    public static PruningResult Execute(Invocation run, ModelOptions model, EvaluationText? text, Func<PlanResult> makePlan, ModelOutput output, CheckpointSurgeryOptions surgery)
    {
        if (output.IsCheck)
            run.Note($"'{output.Folder}' exists already: the work is done again to see whether it is what this command writes. Only --force replaces it.");
        string source = run.Get(model.Folder);
        double? before = null;
        IReadOnlyList<int[]>? rows = text?.Rows(source);
        if (rows is not null)
            using (OpenModel open = ModelFolder.Open(run, model))
                before = Perplexity(run, open, rows, text!.Protocol);

        long start = run.Surroundings.Time.GetTimestamp();
        PlanResult plan = makePlan();
        output.Expect(plan.Plan.Target);
        CheckpointSurgery.Apply(source, plan.Plan, output.Path, surgery, run.Progress, run.Cancellation);
        output.Finish(run);
        double seconds = run.Surroundings.Time.GetElapsedTime(start).TotalSeconds;
        if (rows is null)
            return new PruningResult(plan, output.Folder, output.IsCheck, seconds, null, null);

        // Of the folder as written, not of the plan: the number belongs to the files that the user gets.
        using OpenModel smaller = ModelFolder.Open(run, output.Folder, model);
        return new PruningResult(plan, output.Folder, output.IsCheck, seconds, before, Perplexity(run, smaller, rows, text!.Protocol));
    }

    public static double Perplexity(Invocation run, OpenModel model, IReadOnlyList<int[]> rows, PerplexityProtocol protocol) =>
        new PerplexityEvaluator(logger: run.Log).Evaluate(model.Source, rows, protocol, gates: null, run.Progress, run.Cancellation).Perplexity;
}
