// Templates for one task and its answer. Every byte counts: models were tuned on exactly these texts.
namespace LlmShearing.Data.Instructions;

/// <summary>Stanford Alpaca's two forms, and the variant of Alpaca-LoRA, LLM-Pruner and Shortened-LLaMA, which ends the prompt with a line break.</summary>
internal sealed class AlpacaTemplate(string name, string answerStart, bool endsOnce) : InstructionTemplate
{
    public override string Name => name;

    public override bool EndsOnce => endsOnce;

    public override IReadOnlyList<PromptSegment> Render(InstructionRecord record, TemplateTokens tokens, bool openAnswer = false)
    {
        InstructionTask task = AsTask(record);
        string prompt = task.Input.Length > 0
            ? $"Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\n{task.Instruction}\n\n### Input:\n{task.Input}\n\n### Response:{answerStart}"
            : $"Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{task.Instruction}\n\n### Response:{answerStart}";
        return Answer.After(prompt, task.Output, tokens, openAnswer);
    }
}

/// <summary>LLM-Pruner's and Shortened-LLaMA's --no_instruction: nothing but the texts, with a colon after the instruction.</summary>
internal sealed class PlainTemplate : InstructionTemplate
{
    public override string Name => "plain";

    public override bool EndsOnce => true;

    public override IReadOnlyList<PromptSegment> Render(InstructionRecord record, TemplateTokens tokens, bool openAnswer = false)
    {
        InstructionTask task = AsTask(record);
        string instruction = task.Instruction.EndsWith('.') ? $"{task.Instruction[..^1]}:" : Ended(task.Instruction) ? task.Instruction : $"{task.Instruction}:";
        string input = Ended(task.Input) ? task.Input : $"{task.Input}.";
        return Answer.After($"{instruction} {input}", task.Output.Length > 0 ? $" {task.Output}" : "", tokens, openAnswer);
    }

    private static bool Ended(string text) => text.Length == 0 || text[^1] is '.' or ':' or '?' or '!';
}

/// <summary>LLM-Shearing's instruction tuning on single-turn ShareGPT ({input, output}).</summary>
internal sealed class ShearingTemplate : InstructionTemplate
{
    public override string Name => "llm-shearing";

    public override IReadOnlyList<PromptSegment> Render(InstructionRecord record, TemplateTokens tokens, bool openAnswer = false)
    {
        InstructionTask task = AsTask(record);
        if (task.Request.Length == 0)
            throw Refused(record, "has no form without an input, and the input is empty");
        return Answer.After(
            $"You are a helpful assistant. Write a response that appropriately completes the request.\n\n### Input:\n{task.Request}\n\n### Response:", task.Output, tokens, openAnswer);
    }
}

internal static class Answer
{
    public static IReadOnlyList<PromptSegment> After(string prompt, string output, TemplateTokens tokens, bool openAnswer)
    {
        var pieces = new List<PromptSegment> { new(prompt) };
        if (openAnswer)
            return pieces;
        if (output.Length > 0)
            pieces.Add(new PromptSegment(output, Learn: true));
        if (tokens.End.Length > 0)
            pieces.Add(new PromptSegment(tokens.End, Learn: true, IsToken: true));
        return pieces;
    }
}
