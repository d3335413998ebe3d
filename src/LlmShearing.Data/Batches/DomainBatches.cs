// Micro-batches mixed from domains. The sampler says which domain a row comes from, a seeded permutation says which row: the whole place in the data is one
// epoch and one position for each domain and the sampler's state, whatever was read so far.
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using LlmShearing.Data.Domains;
using LlmShearing.Data.Rows;
using LlmShearing.Training.Runs;
using LlmShearing.Training.Steps;

namespace LlmShearing.Data.Batches;

/// <summary>Fixed-length rows of several domains in the proportions of an <see cref="IDomainSampler"/>. One cursor a domain; resuming continues bit for bit.</summary>
public sealed class DomainBatches : ITrainingData
{
    private const string Kind = "domain-batches";

    private readonly DomainCursor[] _domains;
    private readonly IDomainSampler _sampler;
    private readonly DomainBatchesOptions _options;
    private readonly JsonObject _description;
    private readonly string _identity;

    /// <summary>Creates the data at their start.</summary>
    /// <param name="domains">Domains with their rows, in any order; exactly those that the sampler knows.</param>
    /// <param name="sampler">Chooses domains; owned by these data from now on.</param>
    /// <param name="options">Settings. Default: rows one by one, shuffled, without end.</param>
    /// <exception cref="TokenDataException">A name is missing, unknown or there twice, a domain is empty, rows have different lengths, an option is out of range, or the
    /// sampler's proportions are not shares of 1.</exception>
    public DomainBatches(IReadOnlyList<TokenDomain> domains, IDomainSampler sampler, DomainBatchesOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(domains);
        ArgumentNullException.ThrowIfNull(sampler);
        _options = options ?? new DomainBatchesOptions();
        _sampler = sampler;
        DomainChecks.Options(_options);
        TokenDomain[] ordered = DomainChecks.Match(domains, sampler.Domains);
        DomainChecks.Proportions(sampler);
        SequenceLength = DomainChecks.SequenceLength(ordered, _options);
        _domains = [.. ordered.Select(d => new DomainCursor(d, _options, SequenceLength))];
        _description = CreateDescription(ordered);
        _identity = Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(_description.ToJsonString())).AsSpan(0, 8));
    }

    /// <summary>One domain, in seeded order.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="rows">Its rows; they stay the caller's to dispose.</param>
    /// <param name="options">Settings.</param>
    /// <returns>The data at their start.</returns>
    /// <exception cref="TokenDataException">The domain is empty, or an option is out of range.</exception>
    public static DomainBatches Of(string name, ITokenRows rows, DomainBatchesOptions? options = null) =>
        new([new TokenDomain(name, rows)], new FixedDomainSampler(new FixedDomainSamplerOptions { Proportions = { [name] = 1 } }), options);

    /// <summary>Tokens of a row.</summary>
    public int SequenceLength { get; }

    /// <summary>Whole micro-batches of one pass over the rows when there is one domain; null for a mixture, whose domains end at different times.</summary>
    public long? BatchesPerEpoch => _domains.Length == 1 ? _domains[0].Count / _options.BatchSize : null;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, double> Proportions
    {
        get
        {
            var shares = new SortedDictionary<string, double>(StringComparer.Ordinal);
            for (int i = 0; i < _domains.Length; i++)
                shares[_domains[i].Name] = _sampler.Proportions[i];
            return shares;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, long> Drawn
    {
        get
        {
            var drawn = new SortedDictionary<string, long>(StringComparer.Ordinal);
            foreach (DomainCursor domain in _domains)
                drawn[domain.Name] = long.CreateSaturating(((Int128)domain.Place.Epoch * domain.Count) + domain.Place.Position);
            return drawn;
        }
    }

    /// <summary>The next micro-batch. When it cannot be made the place stays where it was.</summary>
    /// <param name="cancellationToken">Checked before each row.</param>
    /// <returns>The micro-batch; null when a domain is used up and the policy is to stop.</returns>
    /// <exception cref="TokenDataException">A row has a wrong length or an id outside the vocabulary, or a domain is used up and the policy is an error.</exception>
    public TrainingBatch? NextBatch(CancellationToken cancellationToken = default)
    {
        JsonObject before = _sampler.Save();
        (long, long)[] places = [.. _domains.Select(d => d.Place)];
        bool complete = false;
        try
        {
            TrainingBatch? batch = Draw(cancellationToken);
            complete = batch is not null;
            return batch;
        }
        finally
        {
            if (!complete)
            {
                _sampler.Restore(before);
                for (int i = 0; i < places.Length; i++)
                    _domains[i].Place = places[i];
            }
        }
    }

    /// <summary>Tells the sampler the loss of each domain. A sampler that does not adapt is told nothing, and any sets may be evaluated.</summary>
    /// <param name="losses">Mean loss in nats per token by domain: all domains of these data and no other.</param>
    /// <exception cref="TokenDataException">A domain has no loss, a loss belongs to no domain or is not finite, or the sampler answers with proportions that are not shares of 1.</exception>
    public void Update(IReadOnlyDictionary<string, double> losses)
    {
        ArgumentNullException.ThrowIfNull(losses);
        if (!_sampler.Adapts)
            return;
        string names = string.Join(", ", _domains.Select(d => d.Name));
        foreach (string name in losses.Keys)
            if (!_domains.Any(d => d.Name == name))
                throw new TokenDataException($"There is a loss for '{name}', which is no domain of the training data ({names}). Name the evaluation sets after the domains.");
        double[] ordered = new double[_domains.Length];
        for (int i = 0; i < ordered.Length; i++)
        {
            if (!losses.TryGetValue(_domains[i].Name, out ordered[i]))
                throw new TokenDataException($"There is no loss for domain '{_domains[i].Name}'; given: {string.Join(", ", losses.Keys)}. Evaluate every domain ({names}).");
            if (!double.IsFinite(ordered[i]))
                throw new TokenDataException($"The loss of domain '{_domains[i].Name}' is {ordered[i]}. Check that the domain has evaluation data and that training is stable.");
        }

        _sampler.Update(ordered);
        DomainChecks.Proportions(_sampler);
    }

    /// <inheritdoc/>
    public JsonObject Describe() => (JsonObject)_description.DeepClone();

    /// <inheritdoc/>
    public JsonObject Save()
    {
        var places = new JsonObject();
        foreach (DomainCursor domain in _domains)
            places[domain.Name] = new JsonObject { ["epoch"] = domain.Place.Epoch, ["position"] = domain.Place.Position };
        return new JsonObject { ["data"] = Kind, ["identity"] = _identity, ["domains"] = places, ["sampler"] = _sampler.Save() };
    }

    /// <inheritdoc/>
    public void Restore(JsonObject state)
    {
        ArgumentNullException.ThrowIfNull(state);
        SavedPlace.Check(state, Kind, _identity);
        JsonObject places = SavedPlace.Object(state, "domains");
        (long, long)[] read = [.. _domains.Select(d => ReadPlace(places, d))];
        _sampler.Restore(SavedPlace.Object(state, "sampler"));
        for (int i = 0; i < read.Length; i++)
            _domains[i].Place = read[i];
    }

    /// <summary>Does nothing: the rows are their owner's to dispose.</summary>
    public void Dispose()
    {
    }

    private TrainingBatch? Draw(CancellationToken cancellationToken)
    {
        int[] ids = new int[(long)_options.BatchSize * SequenceLength];
        string[] names = new string[_options.BatchSize];
        var rows = new (int Domain, long Epoch, long Row)[_options.BatchSize];
        for (int r = 0; r < rows.Length; r++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int next = _sampler.NextDomain();
            if ((uint)next >= (uint)_domains.Length)
                throw new TokenDataException($"The sampler chose domain {next}, but there are {_domains.Length}. This is a fault of the sampler {_sampler.GetType().Name}.");
            DomainCursor domain = _domains[next];
            if (!domain.TryNext(_options.Exhaustion, out long row))
                return null;
            domain.Read(row, ids.AsSpan(r * SequenceLength, SequenceLength));
            (names[r], rows[r]) = (domain.Name, (next, domain.Place.Epoch, row));
        }

        return new TrainingBatch(new TokenBatch(rows.Length, SequenceLength, ids), source: Source(rows), domains: names);
    }

    // "web rows 4, 17 of epoch 0; wiki row 3 of epoch 1": row numbers are those of the files, so that a bad row can be looked up.
    private string Source(IEnumerable<(int Domain, long Epoch, long Row)> rows) => string.Join("; ", rows
        .GroupBy(r => (r.Domain, r.Epoch))
        .Select(g => $"{_domains[g.Key.Domain].Name} {(g.Count() == 1 ? "row" : "rows")} {string.Join(", ", g.Select(r => r.Row))} of epoch {g.Key.Epoch}"));

    private static (long, long) ReadPlace(JsonObject places, DomainCursor domain)
    {
        JsonObject place = SavedPlace.Object(places, domain.Name);
        return (SavedPlace.Number(place, "epoch", long.MaxValue - 1), SavedPlace.Number(place, "position", domain.Count));
    }

    private JsonObject CreateDescription(TokenDomain[] domains)
    {
        var description = new JsonObject
        {
            ["data"] = Kind,
            ["seed"] = _options.Seed,
            ["shuffle"] = _options.Shuffle,
            ["batchSize"] = _options.BatchSize,
            ["sequenceLength"] = SequenceLength,
            ["exhaustion"] = _options.Exhaustion.ToString(),
            ["sampler"] = _sampler.GetType().Name,
            ["domains"] = new JsonArray([.. domains.Select((d, i) => new JsonObject
            {
                ["name"] = d.Name,
                ["rows"] = d.Rows.Describe(),
                ["fingerprint"] = RowFingerprint.Of(d.Rows),
                ["proportion"] = _sampler.Proportions[i],
            })]),
        };
        if (_sampler.Describe() is { } settings)
            description["settings"] = settings;
        return description;
    }
}
