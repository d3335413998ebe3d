// What users of other tools write, and what it is called here; for everything else, the nearest name.
using System.CommandLine;
using LlmShearing.Support;

namespace LlmShearing.Cli.Terminal;

internal static class NearMisses
{
    private const string Model = "MODEL";

    // Each line: what it is called here, the first that a verb has; then what it is called elsewhere.
    private static readonly (string[] Here, string[] Elsewhere)[] Options =
    [
        (["--max-new-tokens", "--tokens"], ["max-tokens", "n-predict", "num-tokens", "num-predict", "n", "max-length", "max-gen-toks"]),
        (["--lr", "--recover-lr"], ["learning-rate", "rate", "learn-rate"]),
        (["--final-lr"], ["min-lr", "lr-min"]),
        (["--out", "--run"], ["output", "output-dir", "out-dir", "output-path", "output-folder", "output-file", "outfile", "save", "save-dir", "save-path", "save-to", "dest", "o"]),
        ([Model], ["model", "model-path", "model-name", "model-name-or-path", "model-id", "base-model", "pretrained", "pretrained-model", "checkpoint", "ckpt", "ckpt-dir", "m"]),
        (["--steps", "--recover-steps"], ["num-steps", "max-steps", "train-steps", "total-steps", "iters", "iterations", "max-iters", "num-iterations", "n-steps"]),
        (["--epochs"], ["num-epochs", "num-train-epochs", "n-epochs", "epoch"]),
        (["--batch-size", "--recover-batch", "--batch-tokens"], ["batch", "bs", "b", "train-batch-size", "global-batch-size", "per-device-train-batch-size", "n-batch"]),
        (["--micro-batch"], ["micro-batch-size", "microbatch", "device-batch-size", "gradient-accumulation-steps", "grad-accum", "accumulation-steps"]),
        (["--length", "--cutoff"], ["seq-len", "seqlen", "seq-length", "sequence-length", "max-seq-len", "max-seq-length", "max-len", "context", "context-length", "ctx", "ctx-size", "block-size", "window", "cutoff-len", "max-length"]),
        (["--rank"], ["r", "lora-r", "lora-rank", "lora-dim"]),
        (["--alpha"], ["lora-alpha"]),
        (["--dropout"], ["lora-dropout"]),
        (["--targets"], ["target-modules", "lora-target-modules", "lora-modules"]),
        (["--train-in-full"], ["modules-to-save"]),
        (["--clip"], ["max-grad-norm", "grad-clip", "gradient-clipping", "clip-grad", "gradient-clip-val"]),
        (["--weight-decay"], ["wd", "decay"]),
        (["--warmup"], ["warmup-steps", "warmup-ratio", "num-warmup-steps", "lr-warmup-steps"]),
        (["--schedule"], ["scheduler", "lr-scheduler", "lr-scheduler-type", "lr-schedule"]),
        (["--beta2"], ["adam-beta2"]),
        (["--compute", "--dtype"], ["precision", "bf16", "fp16", "fp32", "torch-dtype", "dtype", "mixed-precision", "half"]),
        (["--device"], ["gpu", "cuda", "cpu", "device-map", "gpus"]),
        (["--file", "--data", "--instructions", "--recover-data"], ["dataset", "input", "input-file", "train-file", "text-file", "data-path", "data-dir", "dataset-path", "train-data", "corpus", "calibration", "calib", "f"]),
        (["--instructions"], ["sft-data", "alpaca"]),
        (["--template"], ["chat-template", "prompt-template", "prompt-format"]),
        (["--held-out", "--evaluate"], ["eval-data", "validation-file", "valid-data", "test-data", "eval-file"]),
        (["--samples"], ["num-samples", "nsamples", "n-samples", "num-calibration-samples", "num-examples"]),
        (["--checkpoint-every"], ["save-steps", "save-every", "save-interval", "checkpoint-interval"]),
        (["--eval-every"], ["eval-steps", "eval-interval", "val-interval"]),
        (["--patience"], ["early-stopping-patience", "early-stopping"]),
        (["--ratio", "--total-sparsity", "--remove"], ["sparsity", "pruning-ratio", "prune-ratio", "sparsity-ratio"]),
        (["--remove"], ["num-pruned-blocks", "num-blocks", "n-remove", "drop", "num-remove", "remove-blocks"]),
        (["--remove-layers"], ["layers-to-remove", "drop-layers", "layers"]),
        (["--layers"], ["num-layers", "n-layers", "num-hidden-layers", "depth"]),
        (["--hidden"], ["hidden-size", "d-model", "dim"]),
        (["--intermediate"], ["intermediate-size", "ffn", "ffn-dim", "mlp-dim"]),
        (["--heads"], ["num-heads", "n-heads", "num-attention-heads"]),
        (["--kv-heads"], ["num-kv-heads", "num-key-value-heads", "n-kv-heads"]),
        (["--scorer"], ["criterion", "importance", "method", "metric", "pruner", "pruner-type"]),
        (["--teacher"], ["teacher-model"]),
        (["--adapter"], ["lora", "adapter-path", "peft", "peft-model", "lora-path", "lora-weights"]),
        (["--max-shard-size"], ["shard-size"]),
        (["--workers", "--threads"], ["num-workers", "num-proc", "jobs", "j", "nproc"]),
        (["--threads"], ["num-threads", "n-threads", "t"]),
        (["--seed"], ["random-seed", "rng-seed"]),
        (["--temperature"], ["temp"]),
        (["--top-k"], ["topk"]),
        (["--top-p"], ["topp", "nucleus"]),
        (["--prompt", "--text"], ["p", "input-text", "text"]),
        (["--field"], ["text-field", "text-column", "text-key", "column", "json-key", "json-keys"]),
        (["--no-recompute"], ["gradient-checkpointing", "no-gradient-checkpointing"]),
        (["--force", "--overwrite"], ["overwrite", "overwrite-output-dir", "force", "yes", "y"]),
        (["--quiet"], ["silent", "no-progress", "disable-tqdm"]),
    ];

    private static readonly (string Here, string[] Elsewhere)[] Verbs =
    [
        ("eval", ["evaluate", "perplexity", "ppl", "test", "benchmark"]),
        ("generate", ["infer", "inference", "chat", "complete", "sample", "predict"]),
        ("inspect", ["info", "show", "describe", "summary"]),
        ("tokens", ["encode"]),
        ("tokenize", ["preprocess", "prepare", "prepare-data", "pack"]),
        ("score", ["importance", "rank", "analyze", "analyse"]),
        ("apply", ["cut", "slice"]),
        ("tune", ["finetune", "fine-tune", "sft", "lora", "peft"]),
        ("train", ["pretrain", "continue", "fit"]),
        ("convert", ["export", "cast", "quantize"]),
        ("merge", ["merge-lora", "merge-adapter", "fuse"]),
        ("run", ["pipeline", "recipe"]),
        ("learn", ["masks", "learn-masks", "shear"]),
    ];

    private static readonly (string Here, string[] Elsewhere)[] Values =
    [
        ("bfloat16", ["bf16"]),
        ("float16", ["fp16", "f16", "half"]),
        ("float32", ["fp32", "f32", "float", "full"]),
        ("prod", ["product"]),
        ("mean", ["average", "avg"]),
        ("block-perplexity", ["ppl", "perplexity"]),
        ("block-influence", ["bi", "shortgpt", "influence"]),
        ("magnitude", ["l1", "l2", "norm", "mag"]),
        ("own", ["tok", "native"]),
        ("npy", ["numpy"]),
        ("mds", ["mosaic", "streaming"]),
    ];

    /// <summary>What is wrong with a word that a verb does not know, and what was probably meant.</summary>
    public static string Unknown(string word, Command command)
    {
        bool root = command is RootCommand;
        string verb = root ? "shear" : "shear " + command.Name;
        if (!word.StartsWith('-'))
            return root ? $"'{word}' is no verb of shear.{Mean(Verb(word, command))}" : $"'{word}' is too much: '{verb}' takes {Arguments(command)}.";
        return $"'{word}' is no option of '{verb}'.{Mean(Option(word, command))}";
    }

    /// <summary>The option that was meant, without dashes, for files of settings.</summary>
    public static string Setting(string name, Command command) => Mean(Option(name, command) is { } option && option != Model ? option.TrimStart('-') : null);

    /// <summary>The value that was meant.</summary>
    public static string Value(string text, IReadOnlyCollection<string> values) =>
        Mean(Known(Values.Select(v => (new[] { v.Here }, v.Elsewhere)), text, values.Contains) ?? Suggestion.Nearest(text, values));

    private static string? Verb(string word, Command root) =>
        Known(Verbs.Select(v => (new[] { v.Here }, v.Elsewhere)), word, v => root.Subcommands.Any(c => c.Name == v)) ?? Suggestion.Nearest(word, root.Subcommands.Select(c => c.Name));

    private static string? Option(string word, Command command)
    {
        // --option=value is one word.
        string name = word.Split('=', ':')[0];
        string[] own = [.. command.Options.Select(o => o.Name)];
        return own.FirstOrDefault(o => Suggestion.Plain(o) == Suggestion.Plain(name))
            ?? Known(Options, name, o => o == Model ? command.Arguments.Any(a => a.Name == Model) : own.Contains(o))
            ?? Suggestion.Nearest(name, own);
    }

    private static string? Known(IEnumerable<(string[] Here, string[] Elsewhere)> names, string word, Func<string, bool> exists)
    {
        string plain = Suggestion.Plain(word);
        return names.Where(n => n.Elsewhere.Contains(plain, StringComparer.Ordinal)).SelectMany(n => n.Here).FirstOrDefault(exists);
    }

    private static string Mean(string? name) => name switch
    {
        null => "",
        Model => " The model is given without an option, right after the verb.",
        _ => $" Did you mean '{name}'?",
    };

    private static string Arguments(Command command) =>
        command.Arguments.Count == 0 ? "options only" : string.Join(" and ", command.Arguments.Select(a => a.Name)) + " and options";
}
