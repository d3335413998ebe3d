using LlmShearing.Data.Samples;
using LlmShearing.Training.Steps;

namespace LlmShearing.Data.Instructions;

/// <summary>
/// Labels for texts that are tokenised already: what follows the marker of an answer is learned (TRL's DataCollatorForCompletionOnlyLM). Markers are given as ids taken from the middle of
/// a text: tokenised alone, many tokenizers write them otherwise.
/// </summary>
public static class CompletionLabels
{
    /// <summary>Finds the answers of one text.</summary>
    /// <param name="ids">Token ids of the text.</param>
    /// <param name="answerStart">Ids of the marker before an answer, at least one.</param>
    /// <param name="questionStart">Ids of the marker before a question, when a text has several turns; null = only what follows the last answer marker is learned.</param>
    /// <param name="source">Where the text comes from.</param>
    /// <returns>The ids with labels; none is learned when a marker is missing.</returns>
    /// <exception cref="TokenDataException">A marker is empty.</exception>
    public static TokenSample Of(int[] ids, ReadOnlySpan<int> answerStart, int[]? questionStart = null, string source = "")
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (answerStart.IsEmpty || questionStart is { Length: 0 })
            throw new TokenDataException("The marker of an answer or a question is empty. Give its ids as they stand in the middle of a text.");
        int[] labels = [.. ids];
        int marker = answerStart.Length;
        List<int> answers = Find(ids, answerStart).ConvertAll(i => i + marker);
        if (questionStart is null)
        {
            labels.AsSpan(0, answers.Count > 0 ? answers[^1] : labels.Length).Fill(TrainingBatch.Ignored);
            return new TokenSample(ids, labels, source);
        }

        List<int> questions = Find(ids, questionStart);
        if (answers.Count == 0 || questions.Count == 0)
        {
            labels.AsSpan().Fill(TrainingBatch.Ignored);
            return new TokenSample(ids, labels, source);
        }

        if (questions[0] > answers[0])
            questions.Insert(0, 0);   // the text begins with an answer
        for (int i = 0; i < Math.Min(questions.Count, answers.Count); i++)
            Ignore(labels, i == 0 ? 0 : questions[i], answers[i]);
        if (answers.Count < questions.Count)
            Ignore(labels, questions[^1], labels.Length);
        return new TokenSample(ids, labels, source);
    }

    private static List<int> Find(ReadOnlySpan<int> ids, ReadOnlySpan<int> marker)
    {
        var found = new List<int>();
        for (int i = 0; i + marker.Length <= ids.Length; i++)
            if (ids[i..].StartsWith(marker))
                found.Add(i);
        return found;
    }

    private static void Ignore(int[] labels, int from, int to)
    {
        for (int i = from; i < to; i++)
            labels[i] = TrainingBatch.Ignored;
    }
}
