namespace LlmShearing.Data.Instructions;

/// <summary>Collects pieces; texts that follow each other and are learned alike become one, so that they are tokenised together.</summary>
internal sealed class PromptBuilder
{
    private readonly List<PromptSegment> _pieces = [];

    public IReadOnlyList<PromptSegment> Pieces => _pieces;

    public PromptBuilder Text(string text, bool learn = false)
    {
        if (text.Length == 0)
            return this;
        if (_pieces.Count > 0 && _pieces[^1] is { IsToken: false } last && last.Learn == learn)
            _pieces[^1] = last with { Text = last.Text + text };
        else
            _pieces.Add(new PromptSegment(text, learn));
        return this;
    }

    public PromptBuilder Token(string token, bool learn = false)
    {
        if (token.Length > 0)
            _pieces.Add(new PromptSegment(token, learn, IsToken: true));
        return this;
    }
}

internal static class ChatRoles
{
    public static string Text(this ChatRole role) => role switch
    {
        ChatRole.System => "system",
        ChatRole.User => "user",
        _ => "assistant",
    };
}
