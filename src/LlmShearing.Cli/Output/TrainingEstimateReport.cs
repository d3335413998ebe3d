// What --dry-run says.
using System.Text.Json.Nodes;
using LlmShearing.Cli.Terminal;
using LlmShearing.Training.Runs;
using Spectre.Console;

namespace LlmShearing.Cli.Output;

/// <param name="Estimate">Memory and work by reckoning.</param>
/// <param name="Steps">Steps of the run.</param>
/// <param name="Tokens">Tokens of the run.</param>
/// <param name="SecondsPerStep">Measured on a few steps; NaN when it was not.</param>
/// <param name="NotTimed">Why it was not.</param>
internal sealed record TrainingEstimateReport(TrainingEstimate Estimate, long Steps, long Tokens, double SecondsPerStep, string NotTimed)
{
    private const double Longest = 1e11;

    public JsonObject Json() => new()
    {
        ["parameters"] = Estimate.Parameters,
        ["trainable"] = Estimate.TrainableParameters,
        ["steps"] = Steps,
        ["tokens"] = Tokens,
        ["weight_bytes"] = Estimate.WeightBytes,
        ["gradient_bytes"] = Estimate.GradientBytes,
        ["optimizer_bytes"] = Estimate.OptimizerBytes,
        ["activation_bytes"] = Estimate.ActivationBytes,
        ["memory_bytes"] = Estimate.TotalBytes,
        ["checkpoint_bytes"] = Estimate.CheckpointBytes,
        ["flops_per_step"] = Estimate.Flops,
        ["seconds_per_step"] = Numbers.Json(SecondsPerStep),
        ["seconds"] = Numbers.Json(SecondsPerStep * Steps),
    };

    public void Print(IAnsiConsole console)
    {
        console.Line($"trains      {Numbers.Count(Estimate.TrainableParameters)} of {Numbers.Count(Estimate.Parameters)} parameters");
        console.Line($"memory      {Numbers.Bytes(Estimate.TotalBytes)}: weights {Numbers.Bytes(Estimate.WeightBytes)}, gradients {Numbers.Bytes(Estimate.GradientBytes)}, optimizer {Numbers.Bytes(Estimate.OptimizerBytes)}, activations {Numbers.Bytes(Estimate.ActivationBytes)}");
        console.Line($"a step      {Numbers.Significant(Estimate.Flops, 3)} floating-point operations, {(double.IsNaN(SecondsPerStep) ? "not timed" : $"{Numbers.Significant(SecondsPerStep, 3)} s here")}");
        console.Line(double.IsNaN(SecondsPerStep)
            ? NotTimed
            : $"the run     {Numbers.Count(Steps)} steps, {Numbers.Count(Tokens)} tokens, about {(SecondsPerStep * Steps < Longest ? Numbers.Duration(TimeSpan.FromSeconds(SecondsPerStep * Steps)) : "thousands of years")}");
    }
}
