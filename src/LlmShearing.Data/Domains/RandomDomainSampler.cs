// Domains drawn at random, one draw a sample, as LLM-Shearing draws them. The number of a draw decides its outcome, so the state is one count.
using System.Text.Json.Nodes;

namespace LlmShearing.Data.Domains;

/// <summary>
/// Fixed proportions, independent random draws: the composition of a batch is multinomial (LLM-Shearing, datasets/streaming_dataset.py). <see cref="FixedDomainSampler"/>
/// meets the same proportions with less scatter.
/// </summary>
public sealed class RandomDomainSampler : IDomainSampler
{
    /// <summary>Name under which the sampler is registered.</summary>
    public const string Name = "random";

    private readonly string[] _domains;
    private readonly double[] _proportions;
    private readonly int _seed;
    private readonly ulong _stream;
    private long _draws;

    /// <summary>Creates the sampler at its start.</summary>
    /// <param name="options">Domains, shares and seed. Copied.</param>
    /// <exception cref="TokenDataException">The options are not valid; the message names the domain or the sum.</exception>
    public RandomDomainSampler(FixedDomainSamplerOptions options)
    {
        (_domains, _proportions) = SamplerChecks.Shares(options);
        _seed = options.Seed;
        _stream = Mixing.Derive(options.Seed, Name);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Domains => _domains;

    /// <inheritdoc/>
    public IReadOnlyList<double> Proportions => _proportions;

    /// <inheritdoc/>
    public bool Adapts => false;

    /// <inheritdoc/>
    public int NextDomain() => DomainDraw.Choose(_proportions, Mixing.Uniform(_stream, (ulong)_draws++));

    /// <inheritdoc/>
    public void Update(IReadOnlyList<double> losses) => SamplerChecks.Losses(losses, _domains);

    /// <inheritdoc/>
    public JsonObject Save() => new()
    {
        ["sampler"] = Name,
        ["seed"] = _seed,
        ["domains"] = new JsonArray([.. _domains.Select(d => JsonValue.Create(d))]),
        ["proportions"] = new JsonArray([.. _proportions.Select(p => JsonValue.Create(p))]),
        ["draws"] = _draws,
    };

    /// <inheritdoc/>
    public void Restore(JsonObject state)
    {
        ArgumentNullException.ThrowIfNull(state);
        SamplerChecks.Same(state, Save(), "sampler", "seed", "domains", "proportions");
        if (state["draws"] is not JsonValue value || !value.TryGetValue(out long draws) || draws < 0)
            throw new TokenDataException($"The saved sampler state has draws {SamplerChecks.Text(state["draws"])}; expected a number of samples.");
        _draws = draws;
    }
}
