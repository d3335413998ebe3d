using LlmShearing.Model;
using LlmShearing.Scoring;
using static TorchSharp.torch;

namespace LlmShearing.Core.Tests.Planning;

/// <summary>A model of which only the shape matters.</summary>
internal sealed class FakeSource(LlamaShape shape) : ILlamaSource
{
    public LlamaConfig Config { get; } = new() { Shape = shape };

    public string Name => "fake";

    public ScalarType Dtype => ScalarType.Float32;

    public Device Device => throw Unused();

    public Tensor Embed(Tensor ids, LlamaPass? pass = null) => throw Unused();

    public BlockLease AcquireBlock(int layer) => throw Unused();

    public Tensor FinalNorm(Tensor hidden, LlamaPass? pass = null) => throw Unused();

    public Tensor Logits(Tensor normed) => throw Unused();

    public IEnumerable<(long Start, Tensor Weight)> HeadChunks(long rows) => throw Unused();

    public Tensor HeadRows(Tensor ids) => throw Unused();

    private static InvalidOperationException Unused() => new("Planning looks at the shape only.");
}

/// <summary>Scores from a function of the request and the blocks removed so far; reads all calibration data, as real scorers do.</summary>
internal sealed class FakeScorer(PruningAxes axes, Func<ScoringRequest, IndexSet, ImportanceScores> score) : IPlanAwareScorer
{
    public List<PruningAxes> Requested { get; } = [];

    public int TokensRead { get; private set; }

    public PruningAxes SupportedAxes => axes;

    public ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Score(request, IndexSet.Empty, progress, cancellationToken);

    public ImportanceScores Score(ScoringRequest request, IndexSet removedBlocks, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        Requested.Add(request.Axes);
        foreach (TokenBatch batch in request.Calibration)
            TokensRead += batch.Ids.Length;
        return score(request, removedBlocks);
    }
}
