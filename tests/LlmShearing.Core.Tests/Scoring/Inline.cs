namespace LlmShearing.Core.Tests.Scoring;

/// <summary>Progress on the reporting thread.</summary>
internal sealed class Inline(Action<ShearingProgress> report) : IProgress<ShearingProgress>
{
    public void Report(ShearingProgress value) => report(value);
}
