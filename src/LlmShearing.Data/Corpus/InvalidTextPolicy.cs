namespace LlmShearing.Data.Corpus;

/// <summary>What happens to bytes that are no UTF-8, and to halves of surrogate pairs in JSON escapes.</summary>
public enum InvalidTextPolicy
{
    /// <summary>The run ends with an error that names the file and the line.</summary>
    Refuse,

    /// <summary>They become U+FFFD; the report counts the documents concerned.</summary>
    Replace,
}
