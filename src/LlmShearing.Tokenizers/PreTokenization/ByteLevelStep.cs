using System.Text;
using LlmShearing.Tokenizers.Text;

namespace LlmShearing.Tokenizers.PreTokenization;

/// <summary>
/// Splits by the GPT-2 pattern and spells the pieces in the <see cref="ByteAlphabet"/>. As the last step it leaves the spelling
/// to the model, which goes from bytes to ids directly.
/// </summary>
internal sealed class ByteLevelStep(bool addPrefixSpace, bool usePattern, bool spell) : PreTokenizer
{
    public override void Split(ReadOnlySpan<char> text, bool atStart, int step, PieceFlow flow)
    {
        ScratchBuffer<char>? rewritten = null;
        if (addPrefixSpace && text[0] != ' ')
        {
            rewritten = flow.Rewrite(step);
            rewritten.Add(' ');
            rewritten.Append(text);
            text = rewritten.Span;
        }

        for (int from = 0; from < text.Length;)
        {
            int end = usePattern ? Gpt2Scanner.End(text, from) : text.Length;
            if (spell)
                flow.Send(Spell(text[from..end]), atStart && from == 0, step + 1);
            else
                flow.Send(text[from..end], atStart && from == 0, step + 1);
            from = end;
        }
    }

    // Seldom used: only when another step or an unusual model follows.
    private static string Spell(ReadOnlySpan<char> text)
    {
        byte[] utf8 = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, utf8);
        return string.Create(utf8.Length, utf8, static (chars, bytes) =>
        {
            for (int i = 0; i < chars.Length; i++)
                chars[i] = ByteAlphabet.ToChar(bytes[i]);
        });
    }
}
