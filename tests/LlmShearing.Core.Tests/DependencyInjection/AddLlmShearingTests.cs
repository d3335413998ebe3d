using LlmShearing.Core.Tests.Planning;
using LlmShearing.DependencyInjection;
using LlmShearing.Devices;
using LlmShearing.Planning;
using LlmShearing.Testing;
using LlmShearing.Training.Runs;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace LlmShearing.Core.Tests.DependencyInjection;

public class AddLlmShearingTests
{
    [Fact]
    public void Defaults_BareContainer_EverythingResolvesWithoutLoggingOrClock()
    {
        using ServiceProvider provider = Provider(s => s.AddLlmShearing());
        var scorers = provider.GetRequiredService<IComponentCatalog<IImportanceScorer>>();
        var strategies = provider.GetRequiredService<IComponentCatalog<IPruningStrategy>>();

        Assert.Equal(["angular", "block-influence", "block-perplexity", "gate-taylor", "magnitude", "random", "taylor"], scorers.Names);
        Assert.Equal(["block-depth", "targeted-width"], strategies.Names);
        Assert.All(scorers.Names, name => Assert.NotEqual(PruningAxes.None, scorers.Resolve(name).SupportedAxes));
        Assert.All(strategies.Names, name => Assert.NotEqual(PruningAxes.None, strategies.Resolve(name).RequiredAxes));
        Assert.Same(scorers.Resolve("taylor"), provider.GetRequiredKeyedService<IImportanceScorer>("taylor"));
        Assert.NotNull(provider.GetRequiredService<LlamaPruner>());
        Assert.NotNull(provider.GetRequiredService<Trainer>());
        Assert.NotNull(provider.GetRequiredService<ShearingPlanner>());
    }

    [Fact]
    public void Resolve_UnknownName_ListsThoseThatExist()
    {
        using ServiceProvider provider = Provider(s => s.AddLlmShearing().AddScorer("mine", _ => Fake()));

        Assert.Equal(
            "No scorer is registered as 'tayler'. Did you mean 'taylor'? Registered: angular, block-influence, block-perplexity, gate-taylor, magnitude, mine, random, taylor.",
            Assert.Throws<UnknownComponentException>(() => provider.GetRequiredService<IComponentCatalog<IImportanceScorer>>().Resolve("tayler")).Message);
        Assert.Equal(
            "No strategy is registered as ''. Registered: block-depth, targeted-width.",
            Assert.Throws<UnknownComponentException>(() => provider.GetRequiredService<IComponentCatalog<IPruningStrategy>>().Resolve("")).Message);
    }

    [Fact]
    public void AddLlmShearing_Twice_AddsNothingTwice()
    {
        var services = new ServiceCollection();
        services.AddLlmShearing().AddScorer<MyScorer>("mine");
        int count = services.Count;
        services.AddLlmShearing().AddScorer<MyScorer>("mine");

        Assert.Equal(count, services.Count);
    }

    [Fact]
    public void AddLlmShearing_HostRegisteredFirst_HostWins()
    {
        using ServiceProvider provider = Provider(s =>
        {
            s.AddKeyedSingleton<IImportanceScorer, MyScorer>("magnitude");
            s.AddLlmShearing();
        });

        Assert.IsType<MyScorer>(provider.GetRequiredService<IComponentCatalog<IImportanceScorer>>().Resolve("magnitude"));
    }

    [Fact]
    public void AddScorer_TakenOrBadName_IsRefused()
    {
        LlmShearingBuilder builder = new ServiceCollection().AddLlmShearing();

        Assert.Contains("'taylor' is already registered as IImportanceScorer", Assert.Throws<InvalidOperationException>(() => builder.AddScorer<MyScorer>("taylor")).Message, StringComparison.Ordinal);
        Assert.Contains("'block-depth' is already registered as IPruningStrategy", Assert.Throws<InvalidOperationException>(() => builder.AddStrategy("block-depth", _ => new TargetedWidthStrategy())).Message, StringComparison.Ordinal);
        foreach (string name in new[] { "", "Mine", "my_scorer", "-mine", "mine-", "a--b", "a b", "mine\n" })
            Assert.Throws<ArgumentException>(() => builder.AddScorer<MyScorer>(name));
    }

    [Fact]
    public void AddScorer_SameFactoryTwice_IsOneRegistration()
    {
        Func<IServiceProvider, IImportanceScorer> create = _ => Fake();
        LlmShearingBuilder builder = new ServiceCollection().AddLlmShearing().AddScorer("mine", create).AddScorer("mine", create);

        Assert.Single(builder.Services, d => d.IsKeyedService && "mine".Equals(d.ServiceKey));
        Assert.Throws<InvalidOperationException>(() => builder.AddScorer("mine", _ => Fake()));
    }

    [Fact]
    public void Planner_Configuration_ChoosesComponentsAndAmounts()
    {
        IHost host = Host(new()
        {
            ["Scorer"] = "mine",
            ["Depth:Count"] = "2",
            ["Depth:ProtectFirst"] = "4",
            ["Seed"] = "7",
            ["Scorers:Magnitude:NormPower"] = "2",
        });
        using (host)
        {
            host.Start();
            PruningPlan plan = host.Services.GetRequiredService<ShearingPlanner>().CreatePlan(new FakeSource(TestShapes.Mha12));

            Assert.Equal([4, 5], TestShapes.RemovalOrder(plan));
            Assert.Equal(2, host.Services.GetRequiredService<IOptions<ShearingOptions>>().Value.Scorers.Magnitude.NormPower);
        }
    }

    [Fact]
    public void Planner_TargetedWidth_AimsAtTheConfiguredSizes()
    {
        using IHost host = Host(new() { ["Scorer"] = "mine", ["Strategy"] = "targeted-width", ["Target:Layers"] = "5", ["Target:Hidden"] = "32" });

        PruningPlan plan = host.Services.GetRequiredService<ShearingPlanner>().CreatePlan(new FakeSource(TestShapes.Mha12));

        Assert.Equal(5, plan.Target.Layers.Length);
        Assert.Equal("targeted-width", plan.Provenance!.Strategy);
    }

    [Theory]
    [InlineData("Scorre", "taylor", "Scorre")]
    [InlineData("Depth:Cuont", "3", "Cuont")]
    [InlineData("Scorers:Magnitude:Power", "3", "Power")]
    [InlineData("Target:Widht", "3", "Widht")]
    [InlineData("Scorer", "tayler", "Scorer: No scorer is registered as 'tayler'. Did you mean 'taylor'? Registered: angular,")]
    [InlineData("Strategy", "depth", "Strategy: No strategy is registered as 'depth'. Registered: block-depth, sized, targeted-width.")]
    [InlineData("Scorer", "", "Scorer field is required")]
    [InlineData("Depth:ProtectLast", "-1", "ProtectLast must be between 0 and 65536")]
    [InlineData("Depth:Ratio", "1.5", "Ratio must be between 0 and 1")]
    [InlineData("Depth:Count", "many", "many")]
    [InlineData("Device", "gpu", "Device: there is no device 'gpu'. Give auto, cpu, cuda, cuda:N or mps.")]
    [InlineData("Scorers:Magnitude:NormPower", "0", "NormPower must be between 0.01 and 16")]
    public void Start_WrongConfiguration_StopsTheHostAndNamesIt(string key, string value, string message)
    {
        using IHost host = Host(new() { [key] = value });

        Assert.Contains(message, Assert.ThrowsAny<Exception>(host.Start).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Start_TwoAmounts_StopsTheHost()
    {
        using IHost host = Host(new() { ["Depth:Count"] = "3", ["Depth:Ratio"] = "0.5" });

        Assert.Contains("Count and Ratio are both given. Give one of", Assert.Throws<OptionsValidationException>(host.Start).Message, StringComparison.Ordinal);
    }

    // What is set and not looked at, or missing where nothing would be done without it.
    [Theory]
    [InlineData("Target: no size is given, so strategy sized would remove nothing. Give at least one of Layers, Hidden, QueryHeads, KeyValueHeads, Intermediate.", "Strategy=sized")]
    [InlineData("Target: no size is given, so strategy targeted-width would remove nothing.", "Strategy=targeted-width")]
    [InlineData("Target: no size is given, so strategy sized would remove nothing.", "Strategy=sized", "Target:Heads=WithinGroups")]
    [InlineData("Depth: Ratio, ProtectFirst would be ignored: strategy targeted-width aims at the sizes under Target.", "Strategy=targeted-width", "Target:Layers=5", "Depth:Ratio=0.5", "Depth:ProtectFirst=1")]
    [InlineData("Depth: Blocks, ProtectLast, Contiguous would be ignored: strategy sized", "Strategy=sized", "Target:Layers=5", "Depth:Blocks:0=5", "Depth:ProtectLast=1", "Depth:Contiguous=true", "Depth:Count=")]
    [InlineData("Iterative would be ignored: strategy sized scores once.", "Strategy=sized", "Target:Layers=5", "Iterative=true")]
    [InlineData("Target: Layers, Hidden would be ignored: strategy block-depth removes as many blocks as Depth says.", "Depth:Count=2", "Target:Layers=5", "Target:Hidden=32")]
    [InlineData("Depth: no amount is given, so no plan can be made. Give one of Count, Ratio, TargetParameters and Blocks.", "Depth:ProtectFirst=2")]
    [InlineData("Depth: no amount is given", "Iterative=true")]
    [InlineData("Target: Layers is 0; give 1 or more.", "Strategy=sized", "Target:Layers=0")]
    [InlineData("Target: Heads WithinGroups would be ignored", "Strategy=sized", "Target:QueryHeads=4", "Target:KeyValueHeads=2", "Target:Heads=WithinGroups")]
    [InlineData("Target: Heads is 7. Give KeyValueGroups or WithinGroups.", "Strategy=sized", "Target:QueryHeads=4", "Target:Heads=7")]
    [InlineData("Failed to convert configuration value '3' at 'Shearing:Depth'", "Depth=3")]
    [InlineData("Failed to convert configuration value '2' at 'Shearing:Scorers:Magnitude'", "Scorers:Magnitude=2")]
    public void Start_OptionsThatWouldDoNothing_StopTheHostAndThePlanner(string message, params string[] settings)
    {
        using IHost host = Host(settings.Select(s => s.Split('=')).Where(s => s[1].Length > 0).ToDictionary(s => s[0], s => (string?)s[1]));

        Assert.Contains(message, Assert.ThrowsAny<Exception>(host.Services.GetRequiredService<ShearingPlanner>).Message, StringComparison.Ordinal);
        Assert.Contains(message, Assert.ThrowsAny<Exception>(host.Start).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Start_HostsOwnBlockDepth_AimsAtSizes()
    {
        var services = new ServiceCollection();
        services.AddKeyedSingleton<IPruningStrategy, TargetedWidthStrategy>(BlockDepthStrategy.Name);
        services.AddLlmShearing(o => o.Target = new TargetSizes { Layers = 5 }).AddScorer("mine", _ => Fake());
        using ServiceProvider provider = services.BuildServiceProvider();
        Assert.NotNull(provider.GetRequiredService<ShearingPlanner>());

        services.Configure<ShearingOptions>(o => o.Target = new TargetSizes());
        using ServiceProvider without = services.BuildServiceProvider();
        Assert.Contains("strategy block-depth would remove nothing", Assert.Throws<OptionsValidationException>(without.GetRequiredService<ShearingPlanner>).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AddLlmShearing_SecondSection_IsRefusedTheSameIsNot()
    {
        IConfigurationRoot configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([new("Shearing:Depth:Blocks:0", "3"), new("Shearing:Depth:Blocks:1", "1"), new("Other:Seed", "2")])
            .Build();
        var services = new ServiceCollection();
        services.AddLlmShearing(configuration.GetSection("Shearing"));
        services.AddLlmShearing(configuration.GetSection("Shearing"));

        Assert.Equal(
            "ShearingOptions are bound to the section 'Shearing' already and would be mixed with the section 'Other'. Put all keys into one section, and set what differs in code.",
            Assert.Throws<InvalidOperationException>(() => services.AddLlmShearing(configuration.GetSection("Other"))).Message);
        Assert.Contains("the root of a configuration", Assert.Throws<InvalidOperationException>(() => services.AddLlmShearing(configuration)).Message, StringComparison.Ordinal);
        IConfigurationRoot another = new ConfigurationBuilder().AddInMemoryCollection([new("Shearing:Seed", "1")]).Build();
        Assert.Throws<InvalidOperationException>(() => services.AddLlmShearing(another.GetSection("Shearing")));
        using ServiceProvider provider = services.BuildServiceProvider();
        Assert.Equal([3, 1], provider.GetRequiredService<IOptions<ShearingOptions>>().Value.Depth.Blocks!);
    }

    [Fact]
    public void Load_ConfiguredDevice_IsWhereTheModelGoes()
    {
        string folder = Path.Combine(LlmShearing.Testing.Goldens.RepositoryRoot, "samples", "models", "demo-llama-2.5m");
        using IHost here = Host(new() { ["Device"] = "cpu" });
        using LlamaModel model = here.Services.GetRequiredService<ShearingPlanner>().Load(folder);
        Assert.Equal("cpu", ComputeDevice.NameOf(model.Device));

        using IHost elsewhere = Host(new() { ["Device"] = "cuda:999" });
        Assert.Contains("'cuda:999' is not there", Assert.Throws<DeviceException>(() => elsewhere.Services.GetRequiredService<ShearingPlanner>().Load(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bind_ListOfBlocks_IsRead()
    {
        using IHost host = Host(new() { ["Depth:Blocks:0"] = "3", ["Depth:Blocks:1"] = "1" });

        Assert.Equal([3, 1], host.Services.GetRequiredService<IOptions<ShearingOptions>>().Value.Depth.Blocks!);
    }

    private static ServiceProvider Provider(Action<IServiceCollection> configure)
    {
        var services = new ServiceCollection();
        configure(services);
        return services.BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true, ValidateScopes = true });
    }

    private static IHost Host(Dictionary<string, string?> settings)
    {
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(settings.Select(s => KeyValuePair.Create("Shearing:" + s.Key, s.Value)));
        builder.Services.AddLlmShearing(builder.Configuration.GetSection("Shearing")).AddScorer("mine", _ => Fake()).AddStrategy("sized", _ => new TargetedWidthStrategy());
        return builder.Build();
    }

    private static FakeScorer Fake() => new(PruningAxes.Layers, (r, _) => TestShapes.LayerScores(r.Model.Config.Shape, new double[r.Model.Config.Shape.Layers.Length], "mine"));

    private sealed class MyScorer : IImportanceScorer
    {
        public PruningAxes SupportedAxes => PruningAxes.Layers;

        public ImportanceScores Score(ScoringRequest request, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default) =>
            throw new InvalidOperationException("Not used.");
    }
}
