namespace LlmShearing.Data.Instructions;

/// <summary>The templates that the library knows.</summary>
public static class InstructionTemplates
{
    /// <summary>Stanford Alpaca: the answer follows "### Response:" directly.</summary>
    public static InstructionTemplate Alpaca { get; } = new AlpacaTemplate("alpaca", "", endsOnce: false);

    /// <summary>Alpaca-LoRA, LLM-Pruner, Shortened-LLaMA: a line break before the answer.</summary>
    public static InstructionTemplate AlpacaLora { get; } = new AlpacaTemplate("alpaca-lora", "\n", endsOnce: true);

    /// <summary>LLM-Pruner and Shortened-LLaMA without instructions around the task.</summary>
    public static InstructionTemplate Plain { get; } = new PlainTemplate();

    /// <summary>LLM-Shearing's instruction tuning.</summary>
    public static InstructionTemplate LlmShearing { get; } = new ShearingTemplate();

    /// <summary>Vicuna 1.1.</summary>
    public static InstructionTemplate Vicuna { get; } = new VicunaTemplate();

    /// <summary>ChatML without a default system message.</summary>
    public static InstructionTemplate ChatMl { get; } = new ChatMlTemplate("chatml", null);

    /// <summary>SmolLM2-Instruct: ChatML with its default system message.</summary>
    public static InstructionTemplate SmolLm2 { get; } = new ChatMlTemplate("smollm2", "You are a helpful AI assistant named SmolLM, trained by Hugging Face");

    /// <summary>LLaMA-2-Chat.</summary>
    public static InstructionTemplate Llama2 { get; } = new Llama2Template();

    /// <summary>LLaMA-3-Instruct, without the date that later versions put into the system message.</summary>
    public static InstructionTemplate Llama3 { get; } = new Llama3Template();

    /// <summary>Zephyr, TinyLlama-Chat.</summary>
    public static InstructionTemplate Zephyr { get; } = new ZephyrTemplate();

    /// <summary>All of them.</summary>
    public static IReadOnlyList<InstructionTemplate> All { get; } = [Alpaca, AlpacaLora, Plain, LlmShearing, Vicuna, ChatMl, SmolLm2, Llama2, Llama3, Zephyr];

    /// <summary>A template by its name.</summary>
    /// <param name="name">For example <c>alpaca-lora</c>.</param>
    /// <returns>The template.</returns>
    /// <exception cref="TokenDataException">There is no such template; the message lists those that exist.</exception>
    public static InstructionTemplate Get(string name) =>
        All.FirstOrDefault(t => t.Name == name) ?? throw new TokenDataException($"There is no template '{name}'. There are: {string.Join(", ", All.Select(t => t.Name))}.");
}
