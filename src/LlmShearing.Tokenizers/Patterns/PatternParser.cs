// Reads split expressions of published tokenizers, in the syntax of Oniguruma as the reference library uses it.
using System.Globalization;
using System.Text;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.Patterns;

/// <summary>
/// Knows literals, classes, general categories, <c>\s \S \d \D \w \W</c>, alternatives, groups, quantifiers (greedy and possessive),
/// lookahead, atomic groups, <c>$</c> and <c>(?i:…)</c> over ASCII. Whatever else it meets it refuses by name.
/// </summary>
internal sealed class PatternParser
{
    private const int MostSteps = 4096;
    private const int MostNesting = 64;

    // Published expressions have hundreds. Each character may cost a set of its own.
    private const int MostCharacters = 4096;

    // Two letters that fold together with one (ligatures, sharp s).
    private static readonly string[] FoldingPairs = ["ss", "st", "ff", "fi", "fl"];

    private readonly string _pattern;
    private int _at;
    private int _nesting;
    private bool _ignoreCase;

    private PatternParser(string pattern) => _pattern = pattern;

    /// <summary>Compiles an expression.</summary>
    /// <param name="pattern">The expression.</param>
    /// <param name="problem">What is not supported, or null.</param>
    public static PatternScanner? TryCompile(string pattern, out string? problem)
    {
        if (pattern.Length > MostCharacters)
        {
            problem = $"its length of {pattern.Length} characters, more than {MostCharacters}";
            return null;
        }

        try
        {
            Part whole = new PatternParser(pattern).ReadWhole();
            problem = whole.CanBeEmpty ? "that it can match nothing" : null;
            return problem is null ? new PatternScanner([.. whole.Steps, new PatternStep(PatternOp.Match)], pattern) : null;
        }
        catch (PatternException e)
        {
            problem = e.Message;
            return null;
        }
    }

    private bool AtEnd => _at >= _pattern.Length;

    private Part ReadWhole()
    {
        Part part = ReadAlternatives();
        return AtEnd ? part : throw new PatternException($"'{_pattern[_at]}' at {_at}");
    }

    private Part ReadAlternatives()
    {
        if (++_nesting > MostNesting)
            throw new PatternException($"nesting deeper than {MostNesting}");
        // Joined from the last to the first, so that many alternatives do not nest deeply.
        var parts = new List<Part> { ReadSequence() };
        while (Accept("|"))
            parts.Add(ReadSequence());
        Part part = parts[^1];
        for (int i = parts.Count - 2; i >= 0; i--)
            part = Either(parts[i], part);
        _nesting--;
        return part;
    }

    private Part ReadSequence()
    {
        var steps = new List<PatternStep>();
        bool empty = true;
        char previous = '\0';
        while (!AtEnd && _pattern[_at] is not ('|' or ')'))
        {
            int begin = _at;
            Part part = ReadQuantified();
            char letter = _ignoreCase && begin + 1 == _at ? char.ToLowerInvariant(_pattern[begin]) : '\0';
            if (FoldingPairs.Contains($"{previous}{letter}"))
                throw new PatternException($"'{previous}{letter}' without regard to case, which also stands for one letter,");
            previous = letter;
            Append(steps, part);
            empty &= part.CanBeEmpty;
        }
        return new Part(steps, empty);
    }

    private Part ReadQuantified()
    {
        Part part = ReadAtom(out CodePointSet? set);
        while (!AtEnd && ReadCounts(out int min, out int max, out bool interval))
        {
            bool possessive = !interval && Accept("+");
            if (!AtEnd && _pattern[_at] == '?')
                throw new PatternException($"a reluctant quantifier at {_at}");
            part = Repeat(part, set, min, max, possessive);
            set = null;
            // After a count in braces the reference takes a plus as a repetition of the whole; others it would not take lightly.
            if (!AtEnd && _pattern[_at] is '*' or '{' || (!interval && !AtEnd && _pattern[_at] == '+'))
                throw new PatternException($"a quantifier of a quantifier at {_at}");
        }
        return part;
    }

    private bool ReadCounts(out int min, out int max, out bool interval)
    {
        (min, max, interval) = (0, int.MaxValue, false);
        switch (_pattern[_at])
        {
            case '*':
                break;
            case '+':
                min = 1;
                break;
            case '?':
                max = 1;
                break;
            case '{':
                int close = _pattern.IndexOf('}', _at);
                string[] counts = close < 0 ? [] : _pattern[(_at + 1)..close].Split(',');
                if (counts.Length is 0 or > 2 || !(Count(counts[0], out min) || counts is ["", not ""]) || (counts.Length == 2 && counts[1].Length > 0 && !Count(counts[1], out max)))
                    throw new PatternException($"'{{' at {_at}");
                max = counts.Length == 1 ? min : max;
                if (max < min || max == 0)
                    throw new PatternException($"the count at {_at}");
                (_at, interval) = (close, true);
                break;
            default:
                return false;
        }
        _at++;
        return true;

        static bool Count(string text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value <= 1000;
    }

    private static Part Repeat(Part part, CodePointSet? set, int min, int max, bool possessive)
    {
        if (set is not null)
            return new Part([new PatternStep(possessive ? PatternOp.TakeAll : PatternOp.TakeMany, set, min, max)], min == 0);
        if (part.CanBeEmpty)
            throw new PatternException("a repetition of what can match nothing");

        var steps = new List<PatternStep>();
        for (int i = 0; i < min; i++)
            Append(steps, part);
        if (max == int.MaxValue)
        {
            int loop = steps.Count;
            steps.Add(new PatternStep(PatternOp.Split, A: loop + 1, B: loop + part.Steps.Count + 2));
            Append(steps, part);
            steps.Add(new PatternStep(PatternOp.Jump, A: loop));
        }
        else
        {
            int end = steps.Count + ((max - min) * (part.Steps.Count + 1));
            for (int i = min; i < max; i++)
            {
                steps.Add(new PatternStep(PatternOp.Split, A: steps.Count + 1, B: end));
                Append(steps, part);
            }
        }
        var repeated = new Part(steps, min == 0);
        return possessive ? Enclose(PatternOp.Atomic, repeated, repeated.CanBeEmpty) : repeated;
    }

    private Part ReadAtom(out CodePointSet? set)
    {
        set = null;
        char c = _pattern[_at];
        switch (c)
        {
            case '(':
                return ReadGroup();
            case '$':
                _at++;
                return new Part([new PatternStep(PatternOp.LineEnd)], true);
            case '[':
                set = ReadClass();
                break;
            case '.':
                _at++;
                set = new CodePointSet(x => x != '\n');
                break;
            case '\\':
                set = Make(ReadEscape(out _));
                break;
            case '*' or '+' or '?' or '{' or '}' or ']' or '^':
                throw new PatternException($"'{c}' at {_at}");
            default:
                set = Make(Literal(ReadCodePoint()));
                break;
        }
        return new Part([new PatternStep(PatternOp.Take, set)], false);
    }

    private Part ReadGroup()
    {
        int begin = _at;
        bool outer = _ignoreCase;
        PatternOp? op = null;
        if (Accept("(?i:"))
            _ignoreCase = true;
        else if (Accept("(?="))
            op = PatternOp.Ahead;
        else if (Accept("(?!"))
            op = PatternOp.NotAhead;
        else if (Accept("(?>"))
            op = PatternOp.Atomic;
        else if (!Accept("(?:") && (_pattern.AsSpan(_at).StartsWith("(?") || !Accept("(")))
            throw new PatternException($"the group '{_pattern[_at..Math.Min(_at + 4, _pattern.Length)]}' at {_at}");
        Part inner = ReadAlternatives();
        if (!Accept(")"))
            throw new PatternException($"a group without end at {begin}");
        _ignoreCase = outer;
        return op is { } enclosing ? Enclose(enclosing, inner, enclosing != PatternOp.Atomic || inner.CanBeEmpty) : inner;
    }

    private CodePointSet ReadClass()
    {
        int begin = _at++;
        bool negated = Accept("^");
        var items = new List<Func<int, bool>>();
        while (true)
        {
            if (AtEnd)
                throw new PatternException($"a class without end at {begin}");
            if (items.Count > 0 && Accept("]"))
                break;
            if (_pattern[_at] is '[' or ']' || _pattern.AsSpan(_at).StartsWith("&&"))
                throw new PatternException($"'{_pattern[_at]}' in a class at {_at}");
            int? first = ReadClassItem(out Func<int, bool> item);
            bool dash = !AtEnd && _pattern[_at] == '-' && _at + 1 < _pattern.Length && _pattern[_at + 1] != ']';
            if (dash)
            {
                _at++;
                if (first is not int low || _pattern[_at] == '[' || ReadClassItem(out _) is not int high || high < low)
                    throw new PatternException($"the range at {_at}");
                if (_ignoreCase)
                    throw new PatternException("a range without regard to case");
                item = c => c >= low && c <= high;
                if (!AtEnd && _pattern[_at] == '-' && _at + 1 < _pattern.Length && _pattern[_at + 1] != ']')
                    throw new PatternException($"'-' in a class at {_at}");
            }
            items.Add(item);
        }
        Func<int, bool>[] all = [.. items];
        return new CodePointSet(c => IsAny(all, c) != negated);
    }

    // Not Array.Exists: its delegate would be made anew for each of 65,536 characters.
    private static bool IsAny(Func<int, bool>[] items, int c)
    {
        foreach (Func<int, bool> has in items)
            if (has(c))
                return true;
        return false;
    }

    /// <summary>One member of a class; its code point when it is a single one.</summary>
    private int? ReadClassItem(out Func<int, bool> item)
    {
        if (_pattern[_at] == '\\')
        {
            item = ReadEscape(out int? single);
            return single;
        }
        int c = ReadCodePoint();
        item = Literal(c);
        return c;
    }

    private Func<int, bool> ReadEscape(out int? single)
    {
        single = null;
        int begin = _at++;
        if (AtEnd)
            throw new PatternException("a backslash at the end");
        char c = _pattern[_at++];
        Func<int, bool>? set = c switch
        {
            's' => IsSpace,
            'S' => x => !IsSpace(x),
            'd' => CodePointSet.Category("Nd"),
            'D' => x => CharUnicodeInfo.GetUnicodeCategory(x) != UnicodeCategory.DecimalDigitNumber,
            'w' => IsWord,
            'W' => x => !IsWord(x),
            'p' or 'P' => ReadCategory(begin, c == 'P'),
            _ => null,
        };
        if (set is not null)
            return !_ignoreCase ? set : throw new PatternException($"'\\{c}' without regard to case");
        single = c switch
        {
            'r' => '\r',
            'n' => '\n',
            't' => '\t',
            'f' => '\f',
            'v' => '\v',
            'u' => ReadHex(begin),
            _ when char.IsAscii(c) && !char.IsAsciiLetterOrDigit(c) => c,
            _ => throw new PatternException($"'\\{c}' at {begin}"),
        };
        return Literal(single.Value);
    }

    private int ReadHex(int begin)
    {
        if (_at + 4 > _pattern.Length || !int.TryParse(_pattern.AsSpan(_at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value) || value is >= 0xD800 and <= 0xDFFF)
            throw new PatternException($"the escape at {begin}");
        _at += 4;
        return value;
    }

    private Func<int, bool> ReadCategory(int begin, bool negated)
    {
        int close = _pattern.IndexOf('}', _at);
        if (AtEnd || _pattern[_at] != '{' || close < 0)
            throw new PatternException($"the category at {begin}");
        string name = _pattern[(_at + 1)..close];
        _at = close + 1;
        if (name.StartsWith('^'))
            (name, negated) = (name[1..], !negated);
        Func<int, bool> set = CodePointSet.Category(name) ?? throw new PatternException($"'\\p{{{name}}}'");
        return negated ? c => !set(c) : set;
    }

    private Func<int, bool> Literal(int c)
    {
        if (!_ignoreCase)
            return x => x == c;
        if (!Rune.IsValid(c) || c > 0x7F)
            throw new PatternException("a character beyond ASCII without regard to case");
        int lower = c is >= 'A' and <= 'Z' ? c | 0x20 : c, upper = lower is >= 'a' and <= 'z' ? lower & ~0x20 : lower;
        // The long s and the Kelvin sign fold to s and k.
        int third = lower switch { 's' => 0x17F, 'k' => 0x212A, _ => lower };
        return x => x == lower || x == upper || x == third;
    }

    private int ReadCodePoint()
    {
        if (Rune.DecodeFromUtf16(_pattern.AsSpan(_at), out Rune rune, out int length) != System.Buffers.OperationStatus.Done)
            throw new PatternException($"half a character at {_at}");
        _at += length;
        return rune.Value;
    }

    private bool Accept(string text)
    {
        bool there = _pattern.AsSpan(_at).StartsWith(text);
        _at += there ? text.Length : 0;
        return there;
    }

    private static bool IsSpace(int c) => c <= char.MaxValue && char.IsWhiteSpace((char)c);

    // The joiners are word characters of other engines, not of this one.
    private static bool IsWord(int c) => Rune.IsValid(c) && c is not (0x200C or 0x200D) && CharClass.IsWord(new Rune(c));

    private static CodePointSet Make(Func<int, bool> contains) => new(contains);

    private static Part Either(Part first, Part second)
    {
        List<PatternStep> steps = [new PatternStep(PatternOp.Split, A: 1, B: first.Steps.Count + 2)];
        Append(steps, first);
        steps.Add(new PatternStep(PatternOp.Jump, A: first.Steps.Count + second.Steps.Count + 2));
        Append(steps, second);
        return new Part(steps, first.CanBeEmpty || second.CanBeEmpty);
    }

    private static Part Enclose(PatternOp op, Part inner, bool canBeEmpty)
    {
        List<PatternStep> steps = [new PatternStep(op, A: inner.Steps.Count + 2)];
        Append(steps, inner);
        steps.Add(new PatternStep(PatternOp.Match));
        return new Part(steps, canBeEmpty);
    }

    private static void Append(List<PatternStep> steps, Part part)
    {
        if (steps.Count + part.Steps.Count > MostSteps)
            throw new PatternException($"its size, more than {MostSteps} steps,");
        int offset = steps.Count;
        foreach (PatternStep s in part.Steps)
            steps.Add(s with { A = s.A + offset, B = s.B + offset });
    }

    /// <summary>A part of the program; targets count from its first step.</summary>
    private sealed record Part(List<PatternStep> Steps, bool CanBeEmpty);

    private sealed class PatternException(string message) : Exception(message);
}
