// How making token rows scales with workers: a folder of .jsonl files, repeated until there is enough to measure, into shards with 1, 2, ... workers, taking turns.
//
//   dotnet run -c Release --project bench/TokenizeSpeed -- <tokenizer file or folder> <folder with .jsonl files> [megabytes, default 100] [most workers, default 2] [rounds, default 3]
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using LlmShearing.Data;
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
    long rows = 0;
    // Turns, so that whatever else the machine does meets all alike; the first round warms up.
    for (int round = 0; round <= rounds; round++)
    {
        for (int workers = 1; workers <= mostWorkers; workers++)
        {
            string folder = Path.Combine(work.FullName, "rows");
            var watch = Stopwatch.StartNew();
            var options = new CorpusTokenizerOptions { RowLength = 2048, Workers = workers, AddBos = tokenizer.BosTokenId is not null, AddEos = tokenizer.EosTokenId is not null };
            rows = new CorpusTokenizer(tokenizer, options).Tokenize(CorpusDomain.Discover(corpus), folder).Rows;
            if (round > 0)
                seconds[workers] = Math.Min(seconds[workers], watch.Elapsed.TotalSeconds);
            Directory.Delete(folder, recursive: true);
        }
    }

    Console.WriteLine(JsonSerializer.Serialize(
        new
        {
            tokenizer = Path.GetFileName(Path.TrimEndingDirectorySeparator(args[0])),
            megabytes = Math.Round(megabytes, 1),
            rows,
            cores = Environment.ProcessorCount,
            mb_per_s = Enumerable.Range(1, mostWorkers).ToDictionary(w => $"{w}", w => Math.Round(megabytes / seconds[w], 2)),
            speed_over_one_worker = Enumerable.Range(2, mostWorkers - 1).ToDictionary(w => $"{w}", w => Math.Round(seconds[1] / seconds[w], 2)),
        },
        Output.Indented));
    return 0;
}
finally
{
    work.Delete(recursive: true);
}

internal static class Output
{
    public static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
}
