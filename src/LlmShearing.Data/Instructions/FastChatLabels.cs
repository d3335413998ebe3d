using LlmShearing.Tokenizers;
using LlmShearing.Training.Steps;

namespace LlmShearing.Data.Instructions;

/// <summary>
/// Which tokens of a Vicuna conversation FastChat learns (train.py, preprocess): turns are tokenised apart and their tokens counted off. The counts suit LLaMA tokenizers:
/// the bos of a turn stands for the end token of the turn before, and the space after "ASSISTANT:" is a token of its own when nothing follows.
/// </summary>
internal static class FastChatLabels
{
    private const string AnswerStart = " ASSISTANT: ";

    public static List<int> Of(string text, List<int> ids, int maxLength, string end, ITokenizer tokenizer, MidTextEncoder encoder)
    {
        int total = Math.Min(ids.Count, maxLength), at = 1;
        int later = SpaceAfterEnd(tokenizer, end) ? 0 : 1;   // a space that a turn has only when it is tokenised alone
        List<int> labels = [.. ids];
        Ignore(labels, 0, 1);
        string[] turns = text.Split(end);
        for (int i = 0; i < turns.Length && turns[i].Length > 0; i++)
        {
            string[] parts = turns[i].Split(AnswerStart);
            if (parts.Length != 2)
                break;
            int fix = i == 0 ? 0 : later;
            Ignore(labels, at, at + Count(parts[0] + AnswerStart) - 2 - fix);
            at += Count(turns[i]) - fix;
        }

        Ignore(labels, at, labels.Count);
        if (at < maxLength && at != total)
            Ignore(labels, 0, labels.Count);
        return labels;

        int Count(string turn) => encoder.Begin.Length + tokenizer.Encode(turn, addSpecialTokens: false).Length;
    }

    // Older tokenizers put a space before the text after a control token, newer ones do not.
    private static bool SpaceAfterEnd(ITokenizer tokenizer, string end) =>
        tokenizer.Encode(end + "a", addSpecialTokens: false).AsSpan().EndsWith(tokenizer.Encode("a", addSpecialTokens: false));

    private static void Ignore(List<int> labels, int from, int to)
    {
        for (int i = from; i < Math.Min(to, labels.Count); i++)
            labels[i] = TrainingBatch.Ignored;
    }
}
