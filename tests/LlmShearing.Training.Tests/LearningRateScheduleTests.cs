// Learning rates against transformers and Composer.
using System.Text.Json.Nodes;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;

namespace LlmShearing.Training.Tests;

public sealed class LearningRateScheduleTests
{
    private static readonly JsonNode Tables = JsonNode.Parse(File.ReadAllText(Goldens.Path("hf/optim/schedules.json")))!;
    private static readonly JsonNode Shearing = JsonNode.Parse(File.ReadAllText(Goldens.Path("shearing/composer-schedule/tables.json")))!;

    [Theory]
    [InlineData("transformers_cosine_w5_n30", ScheduleKind.Cosine)]
    [InlineData("transformers_cosine_w0_n12", ScheduleKind.Cosine)]
    [InlineData("transformers_cosine_w10_n10", ScheduleKind.Cosine)]
    [InlineData("transformers_linear_w5_n30", ScheduleKind.Linear)]
    [InlineData("transformers_linear_w0_n12", ScheduleKind.Linear)]
    [InlineData("transformers_linear_w10_n10", ScheduleKind.Linear)]
    public void Factor_Transformers_IsTheirs(string name, ScheduleKind kind)
    {
        JsonNode table = Tables[name]!;
        var schedule = new LearningRateSchedule(kind, (long)table["num_training_steps"]!, (long)table["num_warmup_steps"]!);
        JsonArray rates = table["lr_used_by_optimizer_step"]!.AsArray();
        for (int i = 0; i < rates.Count; i++)
            Near.Equal((double)rates[i]!, (double)table["base_lr"]! * schedule.Factor(i), 1e-16, 1e-12, $"step {i}");
    }

    [Theory]
    [InlineData("composer_cosine_with_warmup", 10, 60)]
    [InlineData("composer_no_warmup", 0, 8)]
    [InlineData("composer_fraction_warmup", 3, 13)]
    [InlineData("composer_short_t_max", 4, 10)]
    public void Factor_Composer_IsTheMultiplierOfTheStepBefore(string name, long warmup, long total)
    {
        JsonNode table = Tables[name]!;
        var schedule = new LearningRateSchedule(ScheduleKind.ComposerCosine, total, warmup, (double)table["alpha_f"]!);
        JsonArray alphas = table["alpha_by_t"]!.AsArray();
        Assert.Equal((double)alphas[0]!, schedule.Factor(0));
        for (int t = 0; t < alphas.Count; t++)
            Near.Equal((double)alphas[t]!, schedule.Factor(t + 1), 1e-16, 1e-12, $"time {t}");
    }

    [Fact]
    public void Factor_ComposerAtTheScaleOfShearing_IsTheirs()
    {
        JsonNode table = Tables["composer_llm_shearing_scale"]!;
        var schedule = new LearningRateSchedule(ScheduleKind.ComposerCosine, 3200, 320, 0.1);
        for (int i = 0; i < table["t"]!.AsArray().Count; i++)
            Near.Equal((double)table["alpha"]![i]!, schedule.Factor((long)table["t"]![i]! + 1), 0, 1e-12, $"time {table["t"]![i]}");
    }

    [Fact]
    public void Rates_RunsOfShearing_AreTheirs()
    {
        int compared = 0;
        foreach (JsonNode? run in Shearing["runs"]!.AsArray())
        {
            var schedule = new LearningRateSchedule(ScheduleKind.ComposerCosine, (long)run!["max_steps"]!, (long)run["t_warmup"]!, (double)run["alpha_f"]!);
            double[] peaks = run["lag_lr"] is { } lag ? [(double)run["lr"]!, (double)lag, (double)lag] : [(double)run["lr"]!];
            ParameterGroup[] groups = [.. peaks.Select(p => new ParameterGroup { Name = "g", Parameters = [], LearningRate = p })];
            foreach (JsonNode? row in run["table"]!.AsArray())
            {
                IReadOnlyList<double> rates = schedule.Rates(groups, (long)row!["step"]!);
                for (int g = 0; g < rates.Count; g++, compared++)
                    Near.Equal(Math.Abs((double)row["lr_of_groups"]![g]!), rates[g], 1e-18, 1e-12, $"{run["name"]}, step {row["step"]}, group {g}");
            }
        }

        Assert.True(compared > 100, $"{compared} rates were compared");
    }

    [Fact]
    public void Factor_ConstantWithWarmup_RisesAndStays()
    {
        var schedule = new LearningRateSchedule(ScheduleKind.Constant, 10, 4, 0.1);
        Assert.Equal([0, 0.25, 0.5, 0.75, 1, 1, 1], Enumerable.Range(0, 7).Select(i => schedule.Factor(i)));
    }

    [Theory]
    [InlineData(ScheduleKind.Cosine)]
    [InlineData(ScheduleKind.Linear)]
    public void Factor_WithFinalFactor_IsMappedLinearly(ScheduleKind kind)
    {
        LearningRateSchedule toZero = new(kind, 20, 3), toTenth = new(kind, 20, 3, 0.1);
        for (int i = 3; i <= 20; i++)
            Assert.Equal(0.1 + (0.9 * toZero.Factor(i)), toTenth.Factor(i), 1e-15);
        Assert.Equal(toZero.Factor(2), toTenth.Factor(2));
    }

    [Theory]
    [InlineData(0, 0, 0.0, "0 steps")]
    [InlineData(5, -1, 0.0, "WarmupSteps is -1")]
    [InlineData(5, 1, 1.5, "FinalFactor is 1.5")]
    [InlineData(5, 1, double.NaN, "FinalFactor is NaN")]
    public void Constructor_ValueOutOfRange_IsRefused(long total, long warmup, double final, string message) =>
        Assert.Contains(message, Assert.Throws<TrainingException>(() => new LearningRateSchedule(ScheduleKind.Cosine, total, warmup, final)).Message, StringComparison.Ordinal);
}
