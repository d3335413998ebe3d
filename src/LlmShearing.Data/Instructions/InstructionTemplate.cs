namespace LlmShearing.Data.Instructions;

/// <summary>Turns records into the text that a model reads, in pieces of which it is known whether they are learned. Derive from it for a format of your own.</summary>
public abstract class InstructionTemplate
{
    /// <summary>Name, for example <c>alpaca</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Whether the tokenizer adds what it puts before a text (usually bos); false when the template writes all of it.</summary>
    public virtual bool TokenizerBegins => true;

    /// <summary>Whether the end token is left out when the text ends with it already.</summary>
    public virtual bool EndsOnce => false;

    /// <summary>How many messages of a record the template does not write; whoever tokenises says so.</summary>
    /// <param name="record">The record.</param>
    /// <returns>Messages left out; 0 unless a template says otherwise.</returns>
    public virtual int LeftOut(InstructionRecord record) => 0;

    /// <summary>Renders a record.</summary>
    /// <param name="record">The record.</param>
    /// <param name="tokens">How the tokenizer writes begin and end.</param>
    /// <param name="openAnswer">False: for training, the answer included. True: a prompt for generation; a task without its answer, a conversation with all its messages and the
    /// beginning of one more answer.</param>
    /// <returns>Pieces in order; texts that follow each other are one text.</returns>
    /// <exception cref="TokenDataException">The record does not fit the template; the message names it.</exception>
    public abstract IReadOnlyList<PromptSegment> Render(InstructionRecord record, TemplateTokens tokens, bool openAnswer = false);

    /// <summary>The record as one task: a conversation must consist of a question and its answer.</summary>
    /// <param name="record">The record.</param>
    /// <returns>The task.</returns>
    /// <exception cref="TokenDataException">The conversation has another form.</exception>
    protected InstructionTask AsTask(InstructionRecord record) => record switch
    {
        InstructionTask task => task,
        Conversation { Messages: [{ Role: ChatRole.User } question, { Role: ChatRole.Assistant } answer] } => new InstructionTask(question.Content, "", answer.Content, record.Source),
        Conversation chat => throw Refused(record, $"knows one question and one answer, but the conversation has the messages {Roles(chat.Messages)}. Use a chat template"),
        _ => throw Refused(record, "knows tasks and conversations only"),
    };

    /// <summary>The record as messages: a task is a question and its answer.</summary>
    /// <param name="record">The record.</param>
    /// <param name="openAnswer">Leaves the answer of a task out.</param>
    /// <returns>Messages, at least one.</returns>
    /// <exception cref="TokenDataException">There is no message.</exception>
    protected IReadOnlyList<ChatMessage> AsMessages(InstructionRecord record, bool openAnswer) => record switch
    {
        InstructionTask task when openAnswer => [new ChatMessage(ChatRole.User, task.Request)],
        InstructionTask task => [new ChatMessage(ChatRole.User, task.Request), new ChatMessage(ChatRole.Assistant, task.Output)],
        Conversation { Messages.Count: > 0 } chat => chat.Messages,
        _ => throw Refused(record, "needs at least one message"),
    };

    /// <summary>An error about a record.</summary>
    /// <param name="record">The record.</param>
    /// <param name="problem">What is wrong, as the continuation of "the template".</param>
    /// <returns>The error, to be thrown.</returns>
    protected TokenDataException Refused(InstructionRecord record, string problem)
    {
        ArgumentNullException.ThrowIfNull(record);
        return new TokenDataException($"{(record.Source.Length > 0 ? record.Source : "A record")}: the template '{Name}' {problem}.");
    }

    /// <summary>Refuses anything but questions and answers in turn, beginning with a question.</summary>
    /// <param name="record">The record.</param>
    /// <param name="messages">Its messages without a system message.</param>
    /// <exception cref="TokenDataException">They do not alternate.</exception>
    protected void EnsureTurns(InstructionRecord record, IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        for (int i = 0; i < messages.Count; i++)
            if (messages[i].Role != (i % 2 == 0 ? ChatRole.User : ChatRole.Assistant))
                throw Refused(record, $"needs questions and answers in turn, but the messages are {Roles(messages)}");
        if (messages.Count == 0)
            throw Refused(record, "needs a question");
    }

    private static string Roles(IReadOnlyList<ChatMessage> messages)
    {
        string roles = string.Join(", ", messages.Take(8).Select(m => m.Role.ToString().ToLowerInvariant()));
        return messages.Count > 8 ? $"{roles}, ... ({messages.Count})" : roles;
    }
}
