// The instructions that a split expression becomes.
namespace LlmShearing.Tokenizers.Patterns;

internal enum PatternOp
{
    /// <summary>Takes one code point of the set.</summary>
    Take,

    /// <summary>Takes from Min to Max code points of the set, as many as possible, and gives back one at a time.</summary>
    TakeMany,

    /// <summary>As TakeMany, but gives nothing back.</summary>
    TakeAll,

    /// <summary>Goes on at A, and at B when that fails.</summary>
    Split,

    /// <summary>Goes on at A.</summary>
    Jump,

    /// <summary>Fails unless what begins at the next step matches here; goes on at A.</summary>
    Ahead,

    /// <summary>Fails when what begins at the next step matches here; goes on at A.</summary>
    NotAhead,

    /// <summary>Takes the first way in which what begins at the next step matches and no other; goes on at A.</summary>
    Atomic,

    /// <summary>Fails unless a line ends here.</summary>
    LineEnd,

    /// <summary>The expression, or the part that Ahead, NotAhead or Atomic began, has matched.</summary>
    Match,
}

internal record struct PatternStep(PatternOp Op, CodePointSet? Set = null, int Min = 0, int Max = 0, int A = 0, int B = 0);
