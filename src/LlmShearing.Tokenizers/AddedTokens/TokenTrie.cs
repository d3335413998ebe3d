using System.Buffers;

namespace LlmShearing.Tokenizers.AddedTokens;

/// <summary>Finds the leftmost, then longest, of many strings in a text.</summary>
internal sealed class TokenTrie<T>
    where T : class
{
    private readonly Node _root = new();
    private SearchValues<char> _firstChars = SearchValues.Create("");

    public bool IsEmpty => _root.Keys.Length == 0;

    /// <summary>Adds a string; one added before keeps its value.</summary>
    /// <returns>False when the string was there already.</returns>
    public bool Add(string text, T value)
    {
        Node node = _root;
        foreach (char c in text)
            node = node.ChildOrNew(c);
        if (node.Value is not null)
            return false;
        node.Value = value;
        _firstChars = SearchValues.Create(_root.Keys);
        return true;
    }

    /// <summary>The first match at or after <paramref name="from"/>, or null.</summary>
    public T? Find(ReadOnlySpan<char> text, int from, out int start, out int length)
    {
        start = from;
        while (start < text.Length)
        {
            int offset = text[start..].IndexOfAny(_firstChars);
            if (offset < 0)
                break;
            start += offset;
            if (LongestPrefix(text[start..], out length) is { } value)
                return value;
            start++;
        }
        length = 0;
        return null;
    }

    /// <summary>The longest string that <paramref name="text"/> begins with, or null.</summary>
    public T? LongestPrefix(ReadOnlySpan<char> text, out int length)
    {
        T? found = null;
        length = 0;
        Node? node = _root;
        for (int i = 0; i < text.Length; i++)
        {
            node = node.Child(text[i]);
            if (node is null)
                break;
            if (node.Value is not null)
            {
                found = node.Value;
                length = i + 1;
            }
        }
        return found;
    }

    private sealed class Node
    {
        public char[] Keys = [];
        public T? Value;
        private Node[] _children = [];

        public Node? Child(char c)
        {
            int index = Keys.AsSpan().IndexOf(c);
            return index < 0 ? null : _children[index];
        }

        public Node ChildOrNew(char c)
        {
            if (Child(c) is { } child)
                return child;
            child = new Node();
            Keys = [.. Keys, c];
            _children = [.. _children, child];
            return child;
        }
    }
}
