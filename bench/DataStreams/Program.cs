// How fast training data come out of shards: tokens a second of domain-mixed batches, with and without reading ahead, and what a place in the data costs.
// Prints JSON. The two ways of reading take turns in one process. Usage: DataStreams [ROWS] [LENGTH] [BATCHES] [ROUNDS]
using System.Diagnostics;
using System.Text.Json;
using LlmShearing.Data.Batches;
using LlmShearing.Data.Domains;
using LlmShearing.Data.Formats;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Shards;
using LlmShearing.Training.Runs;

int rows = args.Length > 0 ? int.Parse(args[0]) : 2000, length = args.Length > 1 ? int.Parse(args[1]) : 1024;
int batches = args.Length > 2 ? int.Parse(args[2]) : 500, rounds = args.Length > 3 ? int.Parse(args[3]) : 5;
List<ITokenRows> opened = [];
string folder = Directory.CreateTempSubdirectory("data-streams-").FullName;
try
{
    (string Name, double Share)[] domains = [("web", 0.7), ("code", 0.1), ("wiki", 0.2)];
    foreach ((string name, _) in domains)
        WriteShard(Path.Combine(folder, $"{name}.tok"), name);
    List<double> plain = [], ahead = [];
    double saveMicroseconds = 0;
    long bytes = 0;
    for (int round = -1; round < rounds; round++)
    {
        using (ITrainingData data = Open())
            Add(plain, round, Tokens(data));
        using (ITrainingData data = new PrefetchedData(Open()))
            Add(ahead, round, Tokens(data));
        using DomainBatches place = Open();
        Tokens(place);
        bytes = place.Save().ToJsonString().Length;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < 1000; i++)
            place.Restore(place.Save());
        saveMicroseconds = Stopwatch.GetElapsedTime(start).TotalMicroseconds / 1000;
    }

    Console.WriteLine(JsonSerializer.Serialize(new
    {
        rows_per_domain = rows, length, batch = 4, batches, rounds,
        tokens_per_second = Median(plain), tokens_per_second_read_ahead = Median(ahead),
        place_bytes = bytes, save_and_restore_microseconds = Math.Round(saveMicroseconds, 1),
    }));

    DomainBatches Open()
    {
        var shares = new FixedDomainSamplerOptions();
        foreach ((string name, double share) in domains)
            shares.Proportions[name] = share;
        return new DomainBatches(
            [.. domains.Select(d => new TokenDomain(d.Name, Rows(d.Name)))],
            new FixedDomainSampler(shares),
            new DomainBatchesOptions { BatchSize = 4, VocabularySize = 32000 });
    }
}
finally
{
    opened.ForEach(r => r.Dispose());
    Directory.Delete(folder, recursive: true);
}

ITokenRows Rows(string name)
{
    opened.Add(TokenRows.Open(Path.Combine(folder, $"{name}.tok")));
    return opened[^1];
}

double Tokens(ITrainingData data)
{
    long count = 0, start = Stopwatch.GetTimestamp();
    for (int i = 0; i < batches; i++)
        count += data.NextBatch()!.Tokens.Ids.Length;
    return count / Stopwatch.GetElapsedTime(start).TotalSeconds;
}

void WriteShard(string path, string name)
{
    var random = new Random(1);
    using var writer = new TokenShardWriter(path, name, length, 32000);
    int[] ids = new int[length];
    for (int r = 0; r < rows; r++)
    {
        for (int t = 0; t < length; t++)
            ids[t] = random.Next(32000);
        writer.Write(ids);
    }

    writer.Complete();
}

static void Add(List<double> list, int round, double value)
{
    if (round >= 0)
        list.Add(value);
}

static double Median(List<double> values) => Math.Round(values.Order().ElementAt(values.Count / 2));
