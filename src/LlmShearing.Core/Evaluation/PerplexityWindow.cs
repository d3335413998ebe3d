namespace LlmShearing.Evaluation;

/// <summary>One model input of a perplexity evaluation. Token t is predicted from the tokens before it in the window.</summary>
/// <param name="Ids">Token ids, a BOS in front included.</param>
/// <param name="FirstLabel">Index of the first token that is labelled; those before it are context only. Token 0 can be labelled but never scored.</param>
/// <param name="Row">Row of the input that the window comes from; 0 for a joined stream.</param>
/// <param name="Start">Position of the window's first own token in its row or stream.</param>
public sealed record PerplexityWindow(int[] Ids, int FirstLabel, int Row, int Start)
{
    /// <summary>Index of the first token that is scored.</summary>
    public int FirstScored => Math.Max(1, FirstLabel);

    /// <summary>Number of scored tokens.</summary>
    public int Scored => Ids.Length - FirstScored;

    /// <summary>Number of labelled tokens, token 0 included when it is labelled.</summary>
    public int Labels => Ids.Length - FirstLabel;
}
