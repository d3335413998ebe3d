// Templates for conversations. Learned is what the assistant says and the token that ends it.
namespace LlmShearing.Data.Instructions;

/// <summary>Vicuna 1.1 (FastChat). A first message of the system replaces the preamble; an answer before the first question is left out, as FastChat does.</summary>
internal sealed class VicunaTemplate : InstructionTemplate
{
    private const string Preamble =
        "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions.";

    public override string Name => "vicuna";

    public override int LeftOut(InstructionRecord record) =>
        record is Conversation { Messages: [{ Role: ChatRole.Assistant }, ..] or [{ Role: ChatRole.System }, { Role: ChatRole.Assistant }, ..] } ? 1 : 0;

    public override IReadOnlyList<PromptSegment> Render(InstructionRecord record, TemplateTokens tokens, bool openAnswer = false)
    {
        IReadOnlyList<ChatMessage> messages = AsMessages(record, openAnswer);
        string system = messages[0].Role == ChatRole.System ? messages[0].Content : Preamble;
        ChatMessage[] turns = [.. messages.Skip(messages[0].Role == ChatRole.System ? 1 : 0)];
        turns = turns[LeftOut(record)..];
        EnsureTurns(record, turns);
        var text = new PromptBuilder().Text($"{system} ");
        foreach (ChatMessage turn in turns)
        {
            if (turn.Role == ChatRole.User)
                text.Text($"USER: {turn.Content} ");
            else if (turn.Content.Length == 0)
                text.Text("ASSISTANT:");
            else
                text.Text("ASSISTANT:").Text($" {turn.Content}", learn: true).Token(tokens.End, learn: true);
        }

        return openAnswer ? text.Text("ASSISTANT:").Pieces : text.Pieces;
    }
}

/// <summary>ChatML; with a default system message as SmolLM2-Instruct has it.</summary>
internal sealed class ChatMlTemplate(string name, string? defaultSystem) : InstructionTemplate
{
    public override string Name => name;

    public override bool TokenizerBegins => false;

    public override IReadOnlyList<PromptSegment> Render(InstructionRecord record, TemplateTokens tokens, bool openAnswer = false)
    {
        IReadOnlyList<ChatMessage> messages = AsMessages(record, openAnswer);
        var text = new PromptBuilder();
        if (defaultSystem is not null && messages[0].Role != ChatRole.System)
            Write(text, ChatRole.System, defaultSystem);
        foreach (ChatMessage message in messages)
            Write(text, message.Role, message.Content);
        return openAnswer ? text.Token("<|im_start|>").Text("assistant\n").Pieces : text.Pieces;
    }

    private static void Write(PromptBuilder text, ChatRole role, string content)
    {
        bool learn = role == ChatRole.Assistant;
        text.Token("<|im_start|>").Text($"{role.Text()}\n").Text(content, learn).Token("<|im_end|>", learn).Text("\n");
    }
}

/// <summary>LLaMA-2-Chat. Contents are trimmed.</summary>
internal sealed class Llama2Template : InstructionTemplate
{
    public override string Name => "llama-2";

    public override bool TokenizerBegins => false;

    public override IReadOnlyList<PromptSegment> Render(InstructionRecord record, TemplateTokens tokens, bool openAnswer = false)
    {
        IReadOnlyList<ChatMessage> messages = AsMessages(record, openAnswer);
        bool system = messages[0].Role == ChatRole.System;
        ChatMessage[] turns = [.. messages.Skip(system ? 1 : 0)];
        EnsureTurns(record, turns);
        if (openAnswer && turns[^1].Role != ChatRole.User)
            throw Refused(record, "can only be continued after a question");
        var text = new PromptBuilder();
        for (int i = 0; i < turns.Length; i++)
        {
            string content = turns[i].Content.Trim();
            if (turns[i].Role == ChatRole.Assistant)
                text.Text($" {content} ", learn: true).Token(tokens.End, learn: true);
            else
                text.Token(tokens.Begin).Text($"[INST] {(system && i == 0 ? $"<<SYS>>\n{messages[0].Content}\n<</SYS>>\n\n" : "")}{content} [/INST]");
        }

        return text.Pieces;
    }
}

/// <summary>LLaMA-3-Instruct. Contents are trimmed.</summary>
internal sealed class Llama3Template : InstructionTemplate
{
    public override string Name => "llama-3";

    public override bool TokenizerBegins => false;

    public override IReadOnlyList<PromptSegment> Render(InstructionRecord record, TemplateTokens tokens, bool openAnswer = false)
    {
        PromptBuilder text = new PromptBuilder().Token("<|begin_of_text|>");
        foreach (ChatMessage message in AsMessages(record, openAnswer))
        {
            bool learn = message.Role == ChatRole.Assistant;
            Head(text, message.Role).Text(message.Content.Trim(), learn).Token("<|eot_id|>", learn);
        }

        return openAnswer ? Head(text, ChatRole.Assistant).Pieces : text.Pieces;
    }

    private static PromptBuilder Head(PromptBuilder text, ChatRole role) => text.Token("<|start_header_id|>").Text(role.Text()).Token("<|end_header_id|>").Text("\n\n");
}

/// <summary>Zephyr and TinyLlama-Chat.</summary>
internal sealed class ZephyrTemplate : InstructionTemplate
{
    public override string Name => "zephyr";

    public override bool TokenizerBegins => false;

    public override IReadOnlyList<PromptSegment> Render(InstructionRecord record, TemplateTokens tokens, bool openAnswer = false)
    {
        var text = new PromptBuilder();
        foreach (ChatMessage message in AsMessages(record, openAnswer))
        {
            bool learn = message.Role == ChatRole.Assistant;
            text.Text($"<|{message.Role.Text()}|>\n").Text(message.Content, learn).Token(tokens.End, learn).Text("\n");
        }

        return openAnswer ? text.Text("<|assistant|>\n").Pieces : text.Pieces;
    }
}
