// New proportions from old ones and losses: the update at the heart of dynamic batch loading. Pure arithmetic in double precision.
using System.Text.Json.Nodes;

namespace LlmShearing.Data.Domains;

/// <summary>The update of LLM-Shearing (Algorithm 1 of the paper; callbacks/dynamic_loading_callback.py), for domains in a given order.</summary>
internal sealed class ReferenceLossRule
{
    private readonly string[] _domains;
    private readonly double[] _reference;
    private readonly double[] _minimum;
    private readonly ProportionUpdate _update;
    private readonly double _eta, _smoothing;
    private readonly double? _maxChange;
    private readonly bool _clip, _hasReferences;

    /// <summary>Copies valid options.</summary>
    public ReferenceLossRule(ReferenceLossOptions options, IReadOnlyList<string> domains)
    {
        _domains = [.. domains];
        _reference = [.. domains.Select(d => options.Losses.TryGetValue(d, out double loss) ? loss : 0)];
        _minimum = [.. domains.Select(d => options.MinimumShares.TryGetValue(d, out double share) ? share : 0)];
        (_update, _eta, _smoothing, _clip, _maxChange) = (options.Update, options.Eta, options.Smoothing, options.ClipDifferences, options.MaxChange);
        _hasReferences = options.Losses.Count > 0;
    }

    /// <summary>Whether proportions ever change.</summary>
    public bool Adapts => _update != ProportionUpdate.Constant;

    /// <summary>Proportions after an evaluation.</summary>
    /// <param name="shares">Shares before it, together 1.</param>
    /// <param name="losses">One finite loss for each domain, in nats per token.</param>
    /// <returns>New shares, together 1.</returns>
    /// <exception cref="TokenDataException">A loss is so large that the rule overflows.</exception>
    public double[] Next(IReadOnlyList<double> shares, IReadOnlyList<double> losses)
    {
        if (!Adapts)
            return [.. shares];
        double[] next = Softmax(shares, losses);
        for (int i = 0; i < next.Length; i++)
            next[i] = ((1 - _smoothing) * next[i]) + (_smoothing / next.Length);
        Normalise(next);
        next = AtLeastMinimum(next);
        return _maxChange is { } limit ? Shortened(shares, next, limit) : next;
    }

    /// <summary>The shares with those below their minimum raised to it; the others give in proportion.</summary>
    public double[] AtLeastMinimum(double[] shares)
    {
        bool[] raised = new bool[shares.Length];
        double scale = 1;
        // Giving may take another domain below its minimum, so again, at most once a domain.
        while (Raise(shares, scale, raised))
        {
            double left = 1, free = 0;
            for (int i = 0; i < shares.Length; i++)
                (left, free) = raised[i] ? (left - _minimum[i], free) : (left, free + shares[i]);
            scale = free > 0 ? Math.Max(0, left) / free : 0;
        }

        return [.. shares.Select((s, i) => raised[i] ? _minimum[i] : s * scale)];
    }

    /// <summary>What a resumed run must have in common with this one.</summary>
    public JsonObject Describe() => new()
    {
        ["update"] = _update.ToString().ToLowerInvariant(),
        ["eta"] = _eta,
        ["smoothing"] = _smoothing,
        ["clip_differences"] = _clip,
        ["max_change"] = _maxChange,
        ["reference_losses"] = _hasReferences ? ByName(_reference) : null,
        ["minimum_shares"] = ByName(_minimum),
    };

    private bool Raise(double[] shares, double scale, bool[] raised)
    {
        bool more = false;
        for (int i = 0; i < shares.Length; i++)
            if (!raised[i] && shares[i] * scale < _minimum[i])
                raised[i] = more = true;
        return more;
    }

    // The largest exponent is taken off first, so the largest term is 1 and nothing overflows.
    private double[] Softmax(IReadOnlyList<double> shares, IReadOnlyList<double> losses)
    {
        double[] logits = new double[shares.Count];
        for (int i = 0; i < logits.Length; i++)
        {
            double difference = losses[i] - _reference[i];
            double step = _eta * (_clip ? Math.Max(difference, 0) : difference);
            if (!double.IsFinite(step))
                throw new TokenDataException($"The loss of domain '{_domains[i]}' is {losses[i]}, its reference {_reference[i]}; with eta {_eta} that is no usable difference. Check the evaluation.");
            logits[i] = step + (_update == ProportionUpdate.Bandit ? shares[i] : Math.Log(shares[i]));   // log 0 = -inf: a share of 0
        }

        double largest = logits.Max();
        double[] weights = [.. logits.Select(l => Math.Exp(l - largest))];
        Normalise(weights);
        return weights;
    }

    // A part of the way: still shares of 1, still above every minimum that both ends are above.
    private static double[] Shortened(IReadOnlyList<double> from, double[] to, double limit)
    {
        double longest = to.Select((t, i) => Math.Abs(t - from[i])).Max();
        double part = longest > limit ? limit / longest : 1;
        return part == 1 ? to : [.. to.Select((t, i) => from[i] + (part * (t - from[i])))];
    }

    private static void Normalise(double[] values)
    {
        double sum = values.Sum();
        for (int i = 0; i < values.Length; i++)
            values[i] /= sum;
    }

    private JsonObject ByName(double[] values) => new(_domains.Select((d, i) => KeyValuePair.Create(d, (JsonNode?)JsonValue.Create(values[i]))));
}
