// Dynamic batch loading: after each evaluation, domains that lag behind their reference loss get a larger share of the samples to come.
using System.Text.Json.Nodes;

namespace LlmShearing.Data.Domains;

/// <summary>
/// LLM-Shearing's dynamic batch loading (section 2.2 of the paper): independent random draws like <see cref="RandomDomainSampler"/>, with proportions that
/// <see cref="Update"/> moves towards domains whose loss is far above its reference. A change acts on the next sample. The state is the number of draws and the proportions.
/// </summary>
public sealed class ReferenceLossSampler : IDomainSampler
{
    /// <summary>Name under which the sampler is registered.</summary>
    public const string Name = "reference-loss";

    // A saved state is written by this library; more than rounding is damage.
    private const double SumTolerance = 1e-9;

    private readonly string[] _domains;
    private readonly int _seed;
    private readonly ReferenceLossRule _rule;
    private readonly Func<ulong, double> _uniform;
    private double[] _proportions;
    private long _draws;

    /// <summary>Creates the sampler at its start.</summary>
    /// <param name="start">Domains, their shares before the first update, and the seed of the draws. Copied.</param>
    /// <param name="options">Reference losses and the rule. Copied.</param>
    /// <exception cref="TokenDataException">The options are not valid; the message names the domain or the option.</exception>
    public ReferenceLossSampler(FixedDomainSamplerOptions start, ReferenceLossOptions options)
        : this(start, options, null)
    {
    }

    /// <summary>With other uniform numbers in [0, 1), by number of the draw.</summary>
    internal ReferenceLossSampler(FixedDomainSamplerOptions start, ReferenceLossOptions options, Func<ulong, double>? uniform)
    {
        ArgumentNullException.ThrowIfNull(start);
        ArgumentNullException.ThrowIfNull(options);
        (_domains, double[] shares) = SamplerChecks.Shares(start);
        if (options.Problem(_domains) is string problem)
            throw new TokenDataException(problem);
        _seed = start.Seed;
        ulong stream = Mixing.Derive(_seed, Name);
        _uniform = uniform ?? (draw => Mixing.Uniform(stream, draw));
        _rule = new ReferenceLossRule(options, _domains);
        _proportions = _rule.AtLeastMinimum(shares);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Domains => _domains;

    /// <inheritdoc/>
    public IReadOnlyList<double> Proportions => _proportions;

    /// <summary>False with <see cref="ProportionUpdate.Constant"/>.</summary>
    public bool Adapts => _rule.Adapts;

    /// <inheritdoc/>
    public int NextDomain() => DomainDraw.Choose(_proportions, _uniform((ulong)_draws++));

    /// <summary>Moves the proportions as <see cref="ReferenceLossOptions"/> say; they act on the next draw. After an error they are what they were.</summary>
    /// <param name="losses">Mean loss of each domain in nats per token, in the order of <see cref="Domains"/>.</param>
    /// <exception cref="TokenDataException">There is not one finite loss for each domain.</exception>
    public void Update(IReadOnlyList<double> losses)
    {
        SamplerChecks.Losses(losses, _domains);
        _proportions = _rule.Next(_proportions, losses);
    }

    /// <inheritdoc/>
    public JsonObject Describe() => _rule.Describe();

    /// <inheritdoc/>
    public JsonObject Save() => new()
    {
        ["sampler"] = Name,
        ["seed"] = _seed,
        ["domains"] = new JsonArray([.. _domains.Select(d => JsonValue.Create(d))]),
        ["settings"] = Describe(),
        ["proportions"] = new JsonArray([.. _proportions.Select(p => JsonValue.Create(p))]),
        ["draws"] = _draws,
    };

    /// <inheritdoc/>
    public void Restore(JsonObject state)
    {
        ArgumentNullException.ThrowIfNull(state);
        SamplerChecks.Same(state, Save(), "sampler", "seed", "domains", "settings");
        if (state["draws"] is not JsonValue value || !value.TryGetValue(out long draws) || draws < 0)
            throw new TokenDataException($"The saved sampler state has draws {SamplerChecks.Text(state["draws"])}; expected a number of samples.");
        (_proportions, _draws) = (ReadProportions(state["proportions"]), draws);
    }

    private double[] ReadProportions(JsonNode? node)
    {
        double[] shares = new double[_domains.Length];
        if (node is not JsonArray array || array.Count != shares.Length)
            throw new TokenDataException($"The saved sampler state has proportions {SamplerChecks.Text(node)}; expected {shares.Length} numbers.");
        for (int i = 0; i < shares.Length; i++)
            if (array[i] is not JsonValue value || !value.TryGetValue(out shares[i]) || shares[i] is not (>= 0 and <= 1 + SumTolerance))
                throw new TokenDataException($"The saved sampler state has proportion {SamplerChecks.Text(array[i])} for domain '{_domains[i]}'; expected a share from 0 to 1.");
        return Math.Abs(shares.Sum() - 1) <= SumTolerance
            ? shares
            : throw new TokenDataException($"The saved sampler state has proportions that add up to {shares.Sum()}; they must add up to 1.");
    }
}
