// shear tokens: text in, token ids out.
using System.CommandLine;
using System.Globalization;
using System.Text;
using LlmShearing.Cli.Input;
using LlmShearing.Cli.Options;
using LlmShearing.Cli.Output;
using LlmShearing.Cli.Terminal;
using LlmShearing.Tokenizers;

namespace LlmShearing.Cli.Commands;

internal sealed class TokensCommand : ShearCommand
{
    private readonly Argument<string> _model = ModelOptions.Argument("Hugging Face folder, or a tokenizer.json or tokenizer.model file.");
    private readonly Option<string[]> _files = Opt.Texts("--file", "FILE", "Text to encode: plain text (one record), or JSON Lines (.jsonl, one record a line), also .gz and .zst. May be repeated.");
    private readonly Option<string?> _field = Opt.Text("--field", "NAME", $"Member of the JSON Lines records that holds the text. [default: {TextFile.DefaultField}]");
    private readonly Option<string?> _text = Opt.Text("--text", "TEXT", "Text to encode, instead of a file.");
    private readonly Option<bool> _noSpecial = Opt.Flag("--no-special-tokens", "Add no BOS or other special tokens, whatever the tokenizer's files say.");
    private readonly Option<string?> _out = Opt.Text("--out", "FILE", "Write the ids there too, as a file for --ids.");

    public TokensCommand(Surroundings surroundings)
        : base(
            surroundings,
            "tokens",
            "Encodes text into token ids, special tokens added as the tokenizer's own files say.",
            "shear tokens MODEL --text \"Once upon a time\"",
            "shear tokens MODEL --file corpus.jsonl --out ids.json")
    {
        Arguments.Add(_model);
        AddOptions(_files, _field, _text, _noSpecial, _out);
        AddCommonOptions();
    }

    protected override void Execute(Invocation run)
    {
        string[] files = run.Get(_files) ?? [];
        if ((run.Get(_text) is null) == (files.Length == 0))
            throw new UsageException("Give either --text or --file.");
        string[] records = run.Get(_text) is { } text ? [text] : [.. files.SelectMany(f => TextFile.Read(f, run.Get(_field)).Records)];
        ITokenizer tokenizer = TokenizerLoader.Load(run.Get(_model));
        var rows = new int[records.Length][];
        for (int i = 0; i < rows.Length; i++)
        {
            run.Cancellation.ThrowIfCancellationRequested();
            rows[i] = tokenizer.Encode(records[i], !run.Get(_noSpecial));
            run.Progress.Report(new ShearingProgress("encoding", i + 1, rows.Length, "records"));
        }

        if (run.Get(_out) is { } path)
            OutputFile.Write(path, writer => WriteRows(writer, rows));
        if (run.Json)
            WriteJson(run, tokenizer, rows);
        else
            WriteText(run, rows);
    }

    // By hand: a corpus of ids as a tree of JSON nodes would take many times its size.
    private static void WriteJson(Invocation run, ITokenizer tokenizer, int[][] rows)
    {
        TextWriter output = run.Surroundings.Out;
        run.Progress.Clear();
        output.Write(string.Create(CultureInfo.InvariantCulture, $"{{\"vocabulary_size\":{tokenizer.VocabularySize},\"tokens\":{rows.Sum(r => r.LongLength)},\"rows\":"));
        WriteRows(output, rows);
        output.WriteLine("}");
        output.Flush();
    }

    private static void WriteText(Invocation run, int[][] rows)
    {
        run.Progress.Clear();
        foreach (int[] row in rows)
            run.Surroundings.Out.WriteLine(string.Join(' ', row));
        run.Note($"{Numbers.Count(rows.Length)} records, {Numbers.Count(rows.Sum(r => r.LongLength))} tokens");
    }

    private static void WriteRows(TextWriter writer, int[][] rows)
    {
        var line = new StringBuilder();
        writer.Write('[');
        for (int i = 0; i < rows.Length; i++)
        {
            line.Clear().Append(i == 0 ? "[" : ",[").AppendJoin(',', rows[i]).Append(']');
            writer.Write(line);
        }

        writer.Write(']');
    }
}
