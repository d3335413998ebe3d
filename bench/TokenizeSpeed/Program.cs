// How making token rows scales with workers: a folder of .jsonl files, repeated until there is enough to measure, into shards with 1, 2, ... workers, taking turns.
// And how fast everything but the encoding is (reading, JSON, packing, writing, with one worker): what bounds the scaling in the end.
//
//   dotnet run -c Release --project bench/TokenizeSpeed -- <tokenizer file or folder> <folder with .jsonl files> [megabytes, default 100] [most workers, default 2] [rounds, default 3]
using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using LlmShearing.Data.Corpus;
using LlmShearing.Tokenizers;

if (args.Length is < 2 or > 5)
{
    Console.Error.WriteLine("usage: TokenizeSpeed <tokenizer file or folder> <folder with .jsonl files> [megabytes, default 100] [most workers, default 2] [rounds, default 3]");
    return 2;
}

int Number(int index, int otherwise) => args.Length > index ? int.Parse(args[index], CultureInfo.InvariantCulture) : otherwise;
long wanted = Number(2, 100) * 1_000_000L;
int mostWorkers = Number(3, 2);
int rounds = Number(4, 3);
ITokenizer tokenizer = TokenizerLoader.Load(args[0]);
DirectoryInfo work = Directory.CreateTempSubdirectory("tokenize-speed-");
try
{
    string corpus = Path.Combine(work.FullName, "corpus.jsonl");
    using (FileStream output = File.Create(corpus))
    {
        string[] files = [.. Directory.EnumerateFiles(args[1], "*.jsonl", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        while (output.Length < wanted)
            foreach (string file in files)
                output.Write(File.ReadAllBytes(file));
    }

    double megabytes = new FileInfo(corpus).Length / 1e6;
    double[] seconds = [.. Enumerable.Repeat(double.MaxValue, mostWorkers + 1)];
    double bare = double.MaxValue;
    long rows = 0;
    // Turns, so that whatever else the machine does meets all alike; the first round warms up.
    for (int round = 0; round <= rounds; round++)
    {
        for (int workers = 1; workers <= mostWorkers; workers++)
        {
            double time = Measure(tokenizer, workers, out rows);
            if (round > 0)
                seconds[workers] = Math.Min(seconds[workers], time);
        }

        bare = Math.Min(bare, Measure(new NoTokenizer(), 1, out _));
    }

    Console.WriteLine(JsonSerializer.Serialize(
        new
        {
            tokenizer = Path.GetFileName(Path.TrimEndingDirectorySeparator(args[0])),
            megabytes = Math.Round(megabytes, 1),
            rows,
            cores = Environment.ProcessorCount,
            mb_per_s = Enumerable.Range(1, mostWorkers).ToDictionary(w => $"{w}", w => Math.Round(megabytes / seconds[w], 2)),
            mb_per_s_without_encoding = Math.Round(megabytes / bare, 1),
            speed_over_one_worker = Enumerable.Range(2, mostWorkers - 1).ToDictionary(w => $"{w}", w => Math.Round(seconds[1] / seconds[w], 2)),
        },
        Output.Indented));
    return 0;

    double Measure(ITokenizer with, int workers, out long made)
    {
        string folder = Path.Combine(work.FullName, "rows");
        var options = new CorpusTokenizerOptions { RowLength = 2048, Workers = workers, AddBos = with.BosTokenId is not null, AddEos = with.EosTokenId is not null };
        var tokenize = new CorpusTokenizer(with, options);
        var watch = Stopwatch.StartNew();
        made = tokenize.Tokenize(CorpusDomain.Discover(corpus), folder).Rows;
        double time = watch.Elapsed.TotalSeconds;
        Directory.Delete(folder, recursive: true);
        return time;
    }
}
finally
{
    work.Delete(recursive: true);
}

/// <summary>Gives about as many ids as a tokenizer would, for no work.</summary>
internal sealed class NoTokenizer : ITokenizer
{
    private const int CharsPerId = 4;

    public int VocabularySize => 32000;

    public int? BosTokenId => 1;

    public int? EosTokenId => 2;

    public int? UnknownTokenId => null;

    public int? PadTokenId => null;

    public void EncodeTo(ReadOnlySpan<char> text, IBufferWriter<int> destination, bool addSpecialTokens = true)
    {
        int count = Math.Max(1, text.Length / CharsPerId);
        destination.GetSpan(count)[..count].Fill(7);
        destination.Advance(count);
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => "";

    public int? TokenToId(string token) => null;

    public string? IdToToken(int id) => null;
}

internal static class Output
{
    public static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
}
