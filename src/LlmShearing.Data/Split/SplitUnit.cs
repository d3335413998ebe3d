using LlmShearing.Data.Corpus;

namespace LlmShearing.Data.Split;

/// <summary>What of a domain stays together when it is split.</summary>
public enum SplitUnit
{
    /// <summary>Single rows, drawn at random. A document that goes over the end of a row may then be in two sets, with different rows of it.</summary>
    Rows,

    /// <summary>
    /// Documents: each set is a run of rows, and rows that share a document with the set before are left out, so that no document is in two sets. Where documents begin is told by BOS or EOS.
    /// </summary>
    Documents,

    /// <summary>Source files, drawn at random: held-out rows come from other files than training rows, as in LLM-Shearing. Needs the index of <see cref="CorpusTokenizer"/>.</summary>
    Files,
}
