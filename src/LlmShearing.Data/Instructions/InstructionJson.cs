using System.Text.Json;
using LlmShearing.Json;

namespace LlmShearing.Data.Instructions;

/// <summary>One record of instruction data from JSON.</summary>
internal static class InstructionJson
{
    private const int MaxMessages = 100_000;

    private static readonly string[] SystemKeys = ["system", "system_prompt"];

    public static InstructionRecord Read(JsonElement record, string source)
    {
        if (record.ValueKind != JsonValueKind.Object)
            throw new TokenDataException($"{source} is {Kind(record)}; expected an object with instruction, input and output, with conversations, or with messages.");
        RefuseWhatIsNotUsed(record, source, "tools", "functions", "images", "image", "videos", "audios");
        string system = System(record, source);
        bool messages = record.TryGetProperty("messages", out JsonElement list), turns = record.TryGetProperty("conversations", out JsonElement said);
        if (messages || turns)
        {
            RefuseWhatIsNotUsed(record, source, "history");
            return new Conversation(Framed(system, messages ? Messages(list, "messages", "role", "content", source) : Messages(said, "conversations", "from", "value", source), source), source);
        }

        string answer = record.TryGetProperty("output", out _) ? "output" : "response";
        if (answer == "output" && record.TryGetProperty("response", out _) && Text(record, "response", source) is { Length: > 0 } response)
        {
            string output = Text(record, answer, source);
            if (output.Length > 0 && output != response)
                throw new TokenDataException($"{source} has an output and another response; expected one of them.");
            answer = output.Length > 0 ? answer : "response";
        }

        bool instruction = record.TryGetProperty("instruction", out _), given = record.TryGetProperty("input", out _);
        if (!record.TryGetProperty(answer, out _) || (!instruction && !given))
            throw new TokenDataException($"{source} has the keys {string.Join(", ", record.EnumerateObject().Take(10).Select(p => p.Name))}; expected instruction and output, input and output, conversations, or messages.");
        string input = given ? Text(record, "input", source) : "";
        if (record.TryGetProperty("context", out _))
        {
            // Dolly's name for the input.
            string context = Text(record, "context", source);
            input = input.Length == 0 || context.Length == 0 ? input + context : throw new TokenDataException($"{source} has both input and context; expected one of them.");
        }

        var task = new InstructionTask(instruction ? Text(record, "instruction", source) : "", input, Text(record, answer, source), source);
        ChatMessage[] before = History(record, source);
        return system.Length == 0 && before.Length == 0 ? task
            : new Conversation(Framed(system, [.. before, new ChatMessage(ChatRole.User, task.Request), new ChatMessage(ChatRole.Assistant, task.Output)], source), source);
    }

    // What would change the meaning of a record when it is left out is not left out in silence.
    private static void RefuseWhatIsNotUsed(JsonElement record, string where, params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
            if (record.TryGetProperty(key, out JsonElement value) && !IsEmpty(value))
                throw new TokenDataException($"{where} has {key}, which no template here can write. Leave such records out, or put what matters into the texts.");
    }

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.String => value.Text().AsSpan().Trim() is "" or "[]" or "{}",
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };

    private static string System(JsonElement record, string source)
    {
        string[] given = [.. SystemKeys.Where(k => record.TryGetProperty(k, out _)).Select(k => Text(record, k, source)).Where(t => t.Length > 0).Distinct(StringComparer.Ordinal)];
        return given.Length < 2 ? given.FirstOrDefault("") : throw new TokenDataException($"{source} has a system and another system_prompt; expected one of them.");
    }

    private static ChatMessage[] Framed(string system, ChatMessage[] messages, string source)
    {
        if (system.Length == 0)
            return messages;
        if (messages[0].Role != ChatRole.System)
            return [new ChatMessage(ChatRole.System, system), .. messages];
        return messages[0].Content == system ? messages : throw new TokenDataException($"{source} has a system text beside another one in its messages; expected one of them.");
    }

    /// <summary>Turns before the instruction: pairs of a question and its answer.</summary>
    private static ChatMessage[] History(JsonElement record, string source)
    {
        if (!record.TryGetProperty("history", out JsonElement history) || IsEmpty(history))
            return [];
        if (history.ValueKind != JsonValueKind.Array || history.GetArrayLength() > MaxMessages / 2)
            throw new TokenDataException($"{source}: history is {Kind(history)}; expected a list of pairs of question and answer.");
        var messages = new List<ChatMessage>();
        foreach (JsonElement pair in history.EnumerateArray())
        {
            if (pair.ValueKind != JsonValueKind.Array || pair.GetArrayLength() != 2 || pair.EnumerateArray().Any(t => t.ValueKind != JsonValueKind.String))
                throw new TokenDataException($"{source}: history[{messages.Count / 2}] is {Kind(pair)}; expected a question and its answer, two texts.");
            messages.Add(new ChatMessage(ChatRole.User, pair[0].Text()));
            messages.Add(new ChatMessage(ChatRole.Assistant, pair[1].Text()));
        }

        return [.. messages];
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
            RefuseWhatIsNotUsed(message, where, "tool_calls", "function_call", "reasoning_content", "images", "audio");
            if ((message.TryGetProperty("weight", out JsonElement weight) && weight.ValueKind == JsonValueKind.Number && weight.GetRawText() is "0" or "0.0")
                || (message.TryGetProperty("train", out JsonElement train) && train.ValueKind == JsonValueKind.False))
                throw new TokenDataException($"{where} is marked as not to be learned, which is not supported: every answer is learned. Leave the record out, or take the mark away.");
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
