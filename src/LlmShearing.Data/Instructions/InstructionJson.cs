using System.Text.Json;

namespace LlmShearing.Data;

/// <summary>One record of instruction data from JSON.</summary>
internal static class InstructionJson
{
    private const int MaxMessages = 100_000;

    public static InstructionRecord Read(JsonElement record, string source)
    {
        if (record.ValueKind != JsonValueKind.Object)
            throw new TokenDataException($"{source} is {Kind(record)}; expected an object with instruction, input and output, with conversations, or with messages.");
        if (record.TryGetProperty("messages", out JsonElement messages))
            return new Conversation(Messages(messages, "messages", "role", "content", source), source);
        if (record.TryGetProperty("conversations", out JsonElement turns))
            return new Conversation(Messages(turns, "conversations", "from", "value", source), source);
        string answer = record.TryGetProperty("output", out _) ? "output" : "response";
        bool instruction = record.TryGetProperty("instruction", out _), input = record.TryGetProperty("input", out _);
        if (!record.TryGetProperty(answer, out _) || (!instruction && !input))
            throw new TokenDataException($"{source} has the keys {string.Join(", ", record.EnumerateObject().Take(10).Select(p => p.Name))}; expected instruction and output, input and output, conversations, or messages.");
        return new InstructionTask(instruction ? Text(record, "instruction", source) : "", input ? Text(record, "input", source) : "", Text(record, answer, source), source);
    }

    private static ChatMessage[] Messages(JsonElement list, string key, string role, string content, string source)
    {
        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() is 0 or > MaxMessages)
            throw new TokenDataException($"{source}: {key} is {Kind(list)}; expected a list of messages, at least one.");
        var messages = new ChatMessage[list.GetArrayLength()];
        int i = 0;
        foreach (JsonElement message in list.EnumerateArray())
        {
            string where = $"{source}, {key}[{i}]";
            if (message.ValueKind != JsonValueKind.Object)
                throw new TokenDataException($"{where} is {Kind(message)}; expected an object with {role} and {content}.");
            messages[i++] = new ChatMessage(Role(Text(message, role, where), role, where), Text(message, content, where));
        }

        return messages;
    }

    private static ChatRole Role(string name, string key, string where) => name switch
    {
        "human" or "user" => ChatRole.User,
        "gpt" or "chatgpt" or "assistant" => ChatRole.Assistant,
        "system" => ChatRole.System,
        _ => throw new TokenDataException($"{where}: {key} is '{name}'; known are human, user, gpt, chatgpt, assistant, system."),
    };

    private static string Text(JsonElement record, string key, string where)
    {
        if (!record.TryGetProperty(key, out JsonElement value))
            throw new TokenDataException($"{where} has no {key}.");
        if (value.ValueKind == JsonValueKind.Null)
            return "";
        if (value.ValueKind != JsonValueKind.String)
            throw new TokenDataException($"{where}: {key} is {Kind(value)}; expected a text.");
        return value.Text();
    }

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => $"a list of {value.GetArrayLength()}",
        JsonValueKind.Object => "an object",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        _ => "null",
    };
}
