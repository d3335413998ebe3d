// How fast one core tokenizes: MB of UTF-8 per second over the `text` fields of .jsonl files, beside a plain pass over the same
// bytes (a byte histogram) in the same run, because only their ratio means something on another machine.
//
//   dotnet run -c Release --project bench/TokenizerSpeed -- <tokenizer file or folder> <folder with .jsonl files> [rounds]
using System.Buffers;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using LlmShearing.Tokenizers;

if (args.Length is < 2 or > 3)
{
    Console.Error.WriteLine("usage: TokenizerSpeed <tokenizer file or folder> <folder with .jsonl files> [rounds, default 5]");
    return 2;
}

int rounds = args.Length == 3 ? int.Parse(args[2], System.Globalization.CultureInfo.InvariantCulture) : 5;
string[] texts = [.. Directory.EnumerateFiles(args[1], "*.jsonl", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
    .SelectMany(File.ReadLines).Where(line => line.Length > 0).Select(ReadText)];
byte[][] utf8 = [.. texts.Select(Encoding.UTF8.GetBytes)];
double megabytes = utf8.Sum(t => (double)t.Length) / 1e6;

var loading = Stopwatch.StartNew();
ITokenizer tokenizer = TokenizerLoader.Load(args[0]);
double loadSeconds = loading.Elapsed.TotalSeconds;

long ids = 0;
double first = Measure(EncodeAll);
double encode = Enumerable.Range(0, rounds).Min(_ => Measure(EncodeAll));
int[][] encoded = [.. texts.Select(t => tokenizer.Encode(t, addSpecialTokens: false))];
double decode = Enumerable.Range(0, rounds).Min(_ => Measure(DecodeAll));
double histogram = Enumerable.Range(0, rounds).Min(_ => Measure(CountBytes));
string oneLine = string.Concat(texts.Select(t => t.Replace("\n", " ", StringComparison.Ordinal)));
double whole = Measure(() => tokenizer.Encode(oneLine, addSpecialTokens: false));

Console.WriteLine(JsonSerializer.Serialize(
    new
    {
        tokenizer = Path.GetFileName(Path.TrimEndingDirectorySeparator(args[0])),
        texts = texts.Length,
        megabytes = Math.Round(megabytes, 3),
        ids,
        load_seconds = Math.Round(loadSeconds, 3),
        encode_first_pass_mb_per_s = Math.Round(megabytes / first, 2),
        encode_mb_per_s = Math.Round(megabytes / encode, 2),
        encode_as_one_line_mb_per_s = Math.Round(megabytes / whole, 2),
        decode_mb_per_s = Math.Round(megabytes / decode, 2),
        byte_histogram_mb_per_s = Math.Round(megabytes / histogram, 1),
        encode_time_over_histogram_time = Math.Round(encode / histogram, 2),
    },
    Output.Indented));
return 0;

static string ReadText(string line)
{
    using JsonDocument document = JsonDocument.Parse(line);
    return document.RootElement.GetProperty("text").GetString()!;
}

static double Measure(Action work)
{
    var watch = Stopwatch.StartNew();
    work();
    return watch.Elapsed.TotalSeconds;
}

void EncodeAll()
{
    ids = 0;
    var writer = new ArrayBufferWriter<int>(1 << 16);
    foreach (string text in texts)
    {
        writer.ResetWrittenCount();
        tokenizer.EncodeTo(text, writer, addSpecialTokens: false);
        ids += writer.WrittenCount;
    }
}

void DecodeAll()
{
    foreach (int[] tokens in encoded)
        tokenizer.Decode(tokens);
}

void CountBytes()
{
    long[] counts = new long[256];
    foreach (byte[] text in utf8)
        foreach (byte b in text)
            counts[b]++;
    if (counts.Sum() == 0)
        Console.Error.WriteLine("no text");
}

internal static class Output
{
    public static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
}
