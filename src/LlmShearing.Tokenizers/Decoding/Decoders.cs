using System.Text;
using LlmShearing.Tokenizers.Normalization;
using LlmShearing.Tokenizers.PreTokenization;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.Decoding;

/// <summary>Turns characters of the <see cref="ByteAlphabet"/> back into bytes; a token with any other character counts as its UTF-8.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    public override void Apply(List<string> tokens)
    {
        var bytes = new ScratchBuffer<byte>();
        foreach (string token in tokens)
            AppendBytes(token, bytes);
        tokens.Clear();
        tokens.Add(Encoding.UTF8.GetString(bytes.Span));
    }

    public static void AppendBytes(string token, ScratchBuffer<byte> bytes)
    {
        int before = bytes.Length;
        foreach (char c in token)
        {
            int value = ByteAlphabet.ToByte(c);
            if (value < 0)
            {
                bytes.Truncate(before);
                bytes.Append(Encoding.UTF8.GetBytes(token));
                return;
            }
            bytes.Add((byte)value);
        }
    }
}

/// <summary>Joins runs of <c>&lt;0xHH&gt;</c> tokens; a run that is not valid UTF-8 gives one U+FFFD for each byte.</summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    public override void Apply(List<string> tokens)
    {
        var bytes = new ScratchBuffer<byte>();
        var result = new List<string>(tokens.Count);
        foreach (string token in tokens)
        {
            if (ByteTokens.TryParse(token, out byte value))
            {
                bytes.Add(value);
                continue;
            }
            Flush(bytes, result);
            result.Add(token);
        }
        Flush(bytes, result);
        tokens.Clear();
        tokens.AddRange(result);
    }

    private static void Flush(ScratchBuffer<byte> bytes, List<string> result)
    {
        if (bytes.Length == 0)
            return;
        if (System.Text.Unicode.Utf8.IsValid(bytes.Span))
        {
            result.Add(Encoding.UTF8.GetString(bytes.Span));
        }
        else
        {
            for (int i = 0; i < bytes.Length; i++)
                result.Add("\uFFFD");
        }
        bytes.Clear();
    }
}

/// <summary>Joins all strings into one.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    public override void Apply(List<string> tokens)
    {
        string fused = string.Concat(tokens);
        tokens.Clear();
        tokens.Add(fused);
    }
}

/// <summary>Removes up to so many copies of a character at the ends of each string.</summary>
internal sealed class StripDecoder(char content, int start, int stop) : TokenDecoder
{
    public override void Apply(List<string> tokens)
    {
        for (int i = 0; i < tokens.Count; i++)
        {
            ReadOnlySpan<char> token = tokens[i];
            int from = 0;
            while (from < start && from < token.Length && token[from] == content)
                from++;
            int to = token.Length;
            while (token.Length - to < stop && to > from && token[to - 1] == content)
                to--;
            if (to - from < token.Length)
                tokens[i] = new string(token[from..to]);
        }
    }
}

/// <summary>Replaces each match of a pattern in each string.</summary>
internal sealed class ReplaceDecoder(Normalizer replacement) : TokenDecoder
{
    public override void Apply(List<string> tokens)
    {
        var buffer = new ScratchBuffer<char>();
        bool atStart = false;
        for (int i = 0; i < tokens.Count; i++)
        {
            if (replacement.LeavesAlone(tokens[i]))
                continue;
            buffer.Clear();
            replacement.Apply(tokens[i], buffer, ref atStart);
            tokens[i] = new string(buffer.Span);
        }
    }
}

/// <summary>Turns marks back into spaces; those of the first token vanish when encoding put one in front.</summary>
internal sealed class MetaspaceDecoder(char mark, PrependScheme scheme) : TokenDecoder
{
    public override void Apply(List<string> tokens)
    {
        for (int i = 0; i < tokens.Count; i++)
        {
            tokens[i] = i == 0 && scheme != PrependScheme.Never
                ? tokens[i].Replace(mark.ToString(), "", StringComparison.Ordinal)
                : tokens[i].Replace(mark, ' ');
        }
    }
}
