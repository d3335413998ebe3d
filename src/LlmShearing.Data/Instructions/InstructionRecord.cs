// What instruction data consist of, before any template: a task with its answer, or a conversation. Each can be seen as the other where that makes sense.
namespace LlmShearing.Data.Instructions;

/// <summary>One record of instruction data.</summary>
/// <param name="Source">Where it comes from, for messages, for example "data.json record 12".</param>
public abstract record InstructionRecord(string Source);

/// <summary>An instruction with an optional input and the answer to learn (Stanford Alpaca; {input, output} data have no instruction).</summary>
/// <param name="Instruction">What to do; may be empty.</param>
/// <param name="Input">What to do it with; may be empty.</param>
/// <param name="Output">The answer.</param>
/// <param name="Source">Where it comes from.</param>
public sealed record InstructionTask(string Instruction, string Input, string Output, string Source = "") : InstructionRecord(Source)
{
    /// <summary>Instruction and input as one text, an empty line between them when there are both.</summary>
    public string Request => Instruction.Length == 0 ? Input : Input.Length == 0 ? Instruction : $"{Instruction}\n\n{Input}";
}

/// <summary>Who says something.</summary>
public enum ChatRole
{
    /// <summary>The frame of the conversation.</summary>
    System,

    /// <summary>The one who asks.</summary>
    User,

    /// <summary>The one who answers; what it says is learned.</summary>
    Assistant,
}

/// <summary>One message of a conversation.</summary>
/// <param name="Role">Who.</param>
/// <param name="Content">What.</param>
public sealed record ChatMessage(ChatRole Role, string Content);

/// <summary>A conversation.</summary>
/// <param name="Messages">Messages in order.</param>
/// <param name="Source">Where it comes from.</param>
public sealed record Conversation(IReadOnlyList<ChatMessage> Messages, string Source = "") : InstructionRecord(Source);
