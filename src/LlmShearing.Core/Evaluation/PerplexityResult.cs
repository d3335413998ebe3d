using System.Collections.Immutable;

namespace LlmShearing.Evaluation;

/// <summary>Loss of one window.</summary>
/// <param name="Row">Row of the input; 0 for a joined stream.</param>
/// <param name="Start">Position of the window's first own token in its row or stream.</param>
/// <param name="NllSum">Sum of the negative log-likelihoods, in nats.</param>
/// <param name="Tokens">Scored tokens.</param>
public readonly record struct SequenceLoss(int Row, int Start, double NllSum, int Tokens)
{
    /// <summary>Nats per scored token.</summary>
    public double MeanNll => NllSum / Tokens;
}

/// <summary>A perplexity with everything that is needed to compare it with another one.</summary>
/// <param name="Perplexity">By the protocol's aggregation rule.</param>
/// <param name="MeanNll">Nats per scored token, over all of them; the logarithm of the perplexity when the aggregation is the token mean.</param>
/// <param name="Tokens">Scored tokens.</param>
/// <param name="PerSequence">One entry per window, in order.</param>
/// <param name="Protocol">The rules used.</param>
public sealed record PerplexityResult(double Perplexity, double MeanNll, long Tokens, ImmutableArray<SequenceLoss> PerSequence, PerplexityProtocol Protocol)
{
    /// <summary>Number of windows.</summary>
    public int Windows => PerSequence.Length;

    /// <summary>Sequences left out because no token of them could be scored.</summary>
    public int SkippedSequences { get; init; }

    /// <summary>Tokens in no window: dropped tails and what is beyond the largest number of windows.</summary>
    public long UnusedTokens { get; init; }

    /// <summary>Puts window losses together by a protocol's aggregation rule.</summary>
    /// <param name="windows">The windows.</param>
    /// <param name="losses">NLL of the scored tokens of each window, in nats.</param>
    /// <param name="protocol">The rules.</param>
    /// <returns>The result; sums are made in double precision.</returns>
    public static PerplexityResult From(IReadOnlyList<PerplexityWindow> windows, IReadOnlyList<float[]> losses, PerplexityProtocol protocol)
    {
        ArgumentNullException.ThrowIfNull(windows);
        ArgumentNullException.ThrowIfNull(losses);
        ArgumentNullException.ThrowIfNull(protocol);
        if (windows.Count == 0 || windows.Count != losses.Count)
            throw new ArgumentException($"There are losses of {losses.Count} windows for {windows.Count} windows; at least one is needed.", nameof(losses));
        var sequences = ImmutableArray.CreateBuilder<SequenceLoss>(windows.Count);
        double nll = 0, weighted = 0, weights = 0;
        long tokens = 0;
        for (int w = 0; w < windows.Count; w++)
        {
            double sum = 0;
            foreach (float loss in losses[w])
                sum += loss;
            var sequence = new SequenceLoss(windows[w].Row, windows[w].Start, sum, losses[w].Length);
            double weight = protocol.Aggregation switch
            {
                PerplexityAggregation.WindowMean => 1,
                PerplexityAggregation.LabelWeighted => windows[w].Labels - 1,
                _ => sequence.Tokens,
            };
            weighted += sequence.MeanNll * weight;
            weights += weight;
            nll += sum;
            tokens += sequence.Tokens;
            sequences.Add(sequence);
        }

        double mean = nll / tokens;
        double logarithm = protocol.Aggregation == PerplexityAggregation.TokenMean ? mean : weighted / weights;
        return new PerplexityResult(Math.Exp(logarithm), mean, tokens, sequences.MoveToImmutable(), protocol);
    }
}
