using LlmShearing.DependencyInjection;
using LlmShearing.Testing;
using LlmShearing.Training.Optimization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace LlmShearing.Lora.Tests;

public class LoraServiceTests
{
    [Fact]
    public async Task AddLora_Section_BindsEveryKind()
    {
        using IHost host = Host(new()
        {
            ["Lora:Rank"] = "4",
            ["Lora:Alpha"] = "9",
            ["Lora:UseRsLora"] = "true",
            ["Lora:TargetModules:0"] = "q_proj",
            ["Lora:LayersToTransform:0"] = "2",
            ["Lora:RankPattern:q_proj"] = "3",
            ["Lora:ModulesToSave:0"] = "lm_head",
            ["Lora:Init"] = "Gaussian",
        });
        await host.StartAsync();
        ILoraAdapter adapter = host.Services.GetRequiredService<ILoraAdapter>();
        Assert.Same(adapter, host.Services.GetRequiredService<ILoraAdapter>());
        using LlamaModel model = TinyLlama.Create();
        using LoraAttachment attachment = adapter.Attach(model);
        Assert.Equal([3, 16], attachment.Parameters[0].Value.shape);
        Assert.Equal(3, attachment.Parameters.Count);
        Assert.Equal(LoraInit.Gaussian, adapter.Options.Init);
        await host.StopAsync();
    }

    [Theory]
    [InlineData("Lora:Rnak", "4", "Rnak")]
    [InlineData("Lora:Rank", "0", "Rank")]
    [InlineData("Lora:TargetPattern", "(", "'(' is not a regular expression")]
    public async Task AddLora_BadSection_HostDoesNotStart(string key, string value, string expected)
    {
        using IHost host = Host(new() { [key] = value });
        Exception error = await Assert.ThrowsAnyAsync<Exception>(() => host.StartAsync());
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddLora_SecondSection_IsRefused()
    {
        IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Lora:Rank", "4"), new("Other:Alpha", "8")]).Build();
        LlmShearingBuilder builder = new ServiceCollection().AddLlmShearing().AddLora(configuration.GetSection("Lora")).AddLora(configuration.GetSection("Lora"));
        Assert.Contains("LoraOptions are bound to the section 'Lora' already", Assert.Throws<InvalidOperationException>(() => builder.AddLora(configuration.GetSection("Other"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddLora_Code_ConfiguresAndLeavesAHostsOwnAdapter()
    {
        var services = new ServiceCollection();
        services.AddLlmShearing().AddLora(o => o.Rank = 5).AddLora();
        Assert.Equal(5, services.BuildServiceProvider().GetRequiredService<ILoraAdapter>().Options.Rank);
        var own = new LoraAdapter();
        var replaced = new ServiceCollection();
        replaced.AddSingleton<ILoraAdapter>(own);
        replaced.AddLlmShearing().AddLora(o => o.Rank = 5);
        Assert.Same(own, replaced.BuildServiceProvider().GetRequiredService<ILoraAdapter>());
    }

    [Fact]
    public void ShortenedLlama_Preset_HasThePublishedSettings()
    {
        LoraOptions options = LoraOptions.ShortenedLlama;
        Assert.Equal((8, 16.0, 0.05), (options.Rank, options.Alpha, options.Dropout));
        LoraRecipe recipe = LoraRecipe.ShortenedLlama;
        Assert.Equal((1e-4, 100L, 0.0, ScheduleKind.Linear, 0.999), (recipe.Optimizer.LearningRate, recipe.Optimizer.WarmupSteps, recipe.Optimizer.FinalFactor, recipe.Optimizer.Schedule, recipe.Optimizer.Beta2));
        Assert.Equal((64, 4, 256), (recipe.BatchSize, recipe.MicroBatchSize, recipe.SequenceLength));
    }

    private static IHost Host(Dictionary<string, string?> settings)
    {
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Services.AddLlmShearing().AddLora(builder.Configuration.GetSection("Lora"));
        return builder.Build();
    }
}
