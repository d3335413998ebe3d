// Every verb that writes is stopped before and after each call that creates, renames or removes, as a kill would; the same command again must give the bytes of an
// undisturbed run and leave nothing else. `train` and `run` are also killed by the system, as processes, in the middle of training.
using System.Security.Cryptography;
using System.Text.Json;
using LlmShearing.Data.Formats;
using LlmShearing.Files;

namespace LlmShearing.Cli.Tests;

public sealed class KilledAnywhereTests : IDisposable
{
    private const int Stride = 11;

    private readonly Scratch _scratch = new();

    public KilledAnywhereTests()
    {
        foreach (string domain in new[] { "web", "wiki" })
        {
            Directory.CreateDirectory(_scratch["corpus/" + domain]);
            for (int i = 0; i < 2; i++)
                File.WriteAllLines(_scratch[$"corpus/{domain}/{i}.jsonl"], Enumerable.Range(0, 12).Select(n => JsonSerializer.Serialize(new { text = $"The city of Rome, {domain} {i}, was not built in {n} days, they say." })));
        }
    }

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData("own")]
    [InlineData("mds")]
    [InlineData("npy")]
    public void Tokenize(string format) =>
        Check(n => ["tokenize", _scratch["corpus"], "--tokenizer", Shear.Demo, "--length", "16", "--shard-size", "1000", "--format", format, "--out", _scratch[n]]);

    [Theory]
    [InlineData("own")]
    [InlineData("mds")]
    [InlineData("npy")]
    [InlineData("selection")]
    public void Split(string format)
    {
        Shear.Json("tokenize", _scratch["corpus"], "--tokenizer", Shear.Demo, "--length", "16", "--out", _scratch["rows"]);
        Check(n => ["split", _scratch["rows"], "--held-out", "3", "--prune", "5", "--continue", "rest", "--format", format, "--out", _scratch[n]]);
    }

    [Fact]
    public void Convert() => Check(n => ["convert", Shear.Demo, "--dtype", "float16", "--max-shard-size", "3MB", "--out", _scratch[n]]);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Convert_Force_LeavesTheOldOrTheNew(bool exchanges)
    {
        FileSteps.Exchanges = exchanges;
        try
        {
            string old = Shear.Json("convert", Shear.Demo, "--dtype", "bfloat16", "--out", _scratch["old"]).GetProperty("out").GetString()!;
            IReadOnlyDictionary<string, string> before = Tree(old);
            Check(
                n => ["convert", Shear.Demo, "--dtype", "float16", "--force", "--out", _scratch[n]],
                prepare: folder => Shear.Json("convert", Shear.Demo, "--dtype", "bfloat16", "--out", folder),
                // Without the exchange there is a moment with neither; the next command brings the old one back.
                killed: (folder, whole) => Assert.True(exchanges ? Same(Tree(folder), before) || Same(Tree(folder), whole) : !Directory.Exists(folder) || Tree(folder).Count > 0));
        }
        finally
        {
            FileSteps.Exchanges = true;
        }
    }

    [Fact]
    public void Apply()
    {
        Shear.Json("plan", Shear.Demo, "--scorer", "random", "--remove", "3", "--out", _scratch["plan.json"]);
        Check(n => ["apply", Shear.Demo, "--plan", _scratch["plan.json"], "--out", _scratch[n]]);
    }

    [Fact]
    public void Prune() => Check(n => ["prune", Shear.Demo, "--scorer", "magnitude", "--remove", "3", "--plan-out", _scratch[n + ".plan"], "--out", _scratch[n]]);

    [Fact]
    public void Score_AndPlan_WriteWholeFiles()
    {
        Check(n => ["score", Shear.Demo, "--scorer", "magnitude", "--out", _scratch[n]]);
        Check(n => ["plan", Shear.Demo, "--scorer", "random", "--remove", "3", "--out", _scratch[n]]);
    }

    [Fact]
    public void Tune_ThenMerge()
    {
        Check(n => ["tune", Shear.Demo, "--file", _scratch["corpus/web/0.jsonl"], "--length", "16", "--steps", "1", "--batch-size", "1", "--micro-batch", "1", "--run", _scratch["training"], "--out", _scratch[n]], only: "undisturbed");
        Directory.Move(_scratch["undisturbed"], _scratch["adapter"]);
        Check(n => ["merge", Shear.Demo, "--adapter", _scratch["adapter"], "--out", _scratch[n]]);
    }

    [Fact]
    public void Learn_ThenFold()
    {
        Shear.Json("tokenize", _scratch["corpus"], "--tokenizer", Shear.Demo, "--length", "16", "--out", _scratch["rows"]);
        string[] size = ["--intermediate", "320"];
        Check(
            n => ["learn", Shear.Demo, .. size, "--data", _scratch["rows"], "--steps", "2", "--warmup", "0", "--batch-size", "2", "--micro-batch", "2", "--accept-unconverged", "--run", _scratch["training"], "--out", _scratch[n]],
            only: "undisturbed");
        Check(n => ["fold", Shear.Demo, "--run", _scratch["training"], .. size, "--out", _scratch[n]]);
    }

    // Once the stages are done, every step of what is left: manifest, result, measurements.
    [Fact]
    public void Run_ItsStagesDone()
    {
        string recipe = Recipe();
        Check(n => ["run", recipe, "--out", _scratch[n]], only: "undisturbed");
    }

    // From the start, about 20 of some 240 steps, a second each: so that all stages are met. Their own steps are the other tests'.
    [Fact]
    public void Run()
    {
        string recipe = Recipe();
        Check(n => ["run", recipe, "--out", _scratch[n]], stride: Stride);
    }

    // A process of its own, killed by the system while it trains, when the given checkpoint is there; and `run` in either of its stages.
    [Theory]
    [InlineData("train", "undisturbed.run", "killed.run")]
    [InlineData("run", "undisturbed.run/learn.run", "killed.run/learn.run")]
    [InlineData("run", "undisturbed.run/continue.run", "killed.run/continue.run")]
    public void Process_KilledInTraining_GoesOnToTheSameBytes(string verb, string whole, string killed)
    {
        const string Checkpoint = "checkpoints/step-00000002";
        Func<string, string[]> command = verb == "run"
            ? n => ["run", Recipe(steps: 6), "--out", _scratch[n]]
            : n => ["train", Shear.Demo, "--file", _scratch["corpus/web/0.jsonl"], "--length", "16", "--steps", "6", "--batch-size", "2", "--micro-batch", "1", "--checkpoint-every", "1", "--keep", "9", "--out", _scratch[n]];
        ShearResult first = Shear.Run(command("undisturbed"));
        Assert.True(first.Code == 0, first.Error);
        Assert.True(Directory.Exists(_scratch[$"{whole}/{Checkpoint}"]), string.Join(", ", Directory.GetDirectories(_scratch[whole + "/checkpoints"])));
        Assert.NotEqual(0, KilledProcess.Run(command("killed"), () => Directory.Exists(_scratch[$"{killed}/{Checkpoint}"])));
        Assert.False(Directory.Exists(_scratch["killed"]), "it had ended before it was killed");
        ShearResult again = Shear.Run([.. command("killed"), "--json"]);
        Assert.True(again.Code == 0, again.Error);
        if (verb == "train")
            Assert.InRange(again.Json.GetProperty("resumed_at").GetInt64(), 2, 5);
        Assert.Equal(Tree(_scratch["undisturbed"]), Tree(_scratch["killed"]));
        Assert.Equal(["corpus", "killed", "killed.run", "undisturbed", "undisturbed.run"], _scratch.Names.Except(["rows", "recipe.json"]));
    }

    [Fact]
    public void AnotherResult_IsRefused()
    {
        Shear.Json("convert", Shear.Demo, "--dtype", "float16", "--out", _scratch["out"]);
        IReadOnlyDictionary<string, string> before = Tree(_scratch["out"]);
        Assert.Contains("exists already and is not what this command writes", Shear.BadInput("convert", Shear.Demo, "--dtype", "bfloat16", "--out", _scratch["out"]), StringComparison.Ordinal);
        Assert.Contains("another shape", Shear.BadInput("prune", Shear.Demo, "--scorer", "magnitude", "--remove", "3", "--out", _scratch["out"]), StringComparison.Ordinal);
        Assert.Equal(before, Tree(_scratch["out"]));
        Assert.Equal(["corpus", "out"], _scratch.Names);
    }

    [Fact]
    public void WhatALivingProcessWrites_Stays()
    {
        string id = "0123456789abcdef0123456789abcdef";
        string temporary = _scratch[$".out.{id}.tmp"];
        Directory.CreateDirectory(temporary);
        using (new FileStream(_scratch[$".out.{id}.lock"], FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None))
        {
            Shear.Json("convert", Shear.Demo, "--out", _scratch["out"]);
            Assert.True(Directory.Exists(temporary));
        }

        Shear.Json("convert", Shear.Demo, "--out", _scratch["out"], "--force");
        Assert.Equal(["corpus", "out"], _scratch.Names);
    }

    /// <summary>Stops the command at every step and gives it again.</summary>
    /// <param name="command">The command line that writes to a name in the scratch folder.</param>
    /// <param name="only">Steps count from the first whose path has this text; null = from the beginning.</param>
    /// <param name="prepare">Makes what is there before, at the given path.</param>
    /// <param name="killed">Looks at the given path after the kill; also gets the undisturbed content.</param>
    /// <param name="stride">Stops only at steps that are a multiple of this.</param>
    private void Check(
        Func<string, string[]> command, string? only = null, Action<string>? prepare = null, Action<string, IReadOnlyDictionary<string, string>>? killed = null, int stride = 1)
    {
        const string Name = "undisturbed";
        string[] names = [.. _scratch.Names];
        prepare?.Invoke(_scratch[Name]);
        ShearResult first = Shear.Run(command(Name));
        Assert.True(first.Code == 0, first.Error);
        IReadOnlyDictionary<string, string> whole = Tree(_scratch[Name]);
        string[] left = [.. _scratch.Names];
        int kills = 0;
        for (bool dead = true; dead; kills++)
        {
            foreach (string name in _scratch.Names.Except(names).Where(n => only is null || n == Name).ToArray())
                Remove(_scratch[name]);
            prepare?.Invoke(_scratch[Name]);
            int step = 0;
            dead = false;
            string last = "";
            FileSteps.Watch = (what, path) =>
            {
                if (!dead && step == 0 && only is not null && !path.Contains(only, StringComparison.Ordinal))
                    return;
                if (!dead)
                    last = $"{what} {path}";
                // A dead process takes no further step.
                if (dead || step++ == kills * stride)
                {
                    dead = true;
                    throw new KilledException();
                }
            };
            try
            {
                Shear.Run(command(Name));
            }
            catch (KilledException)
            {
            }
            finally
            {
                FileSteps.Watch = null;
            }

            if (dead)
                killed?.Invoke(_scratch[Name], whole);
            ShearResult again = Shear.Run(command(Name));
            Assert.True(again.Code == 0, $"after a kill {last}: {again.Error}");
            Assert.True(Same(whole, Tree(_scratch[Name])), $"after a kill {last}: other content: {string.Join(", ", Tree(_scratch[Name]).Except(whole).Select(f => f.Key))}; missing: {string.Join(", ", whole.Keys.Except(Tree(_scratch[Name]).Keys))}");
            Assert.True(left.SequenceEqual(_scratch.Names), $"after a kill {last}: {string.Join(", ", _scratch.Names)}");
        }

        Assert.True(kills > 4, $"{kills} steps");
    }

    // Two domains, measured before and after; the least of training that goes through both stages.
    private string Recipe(int steps = 1)
    {
        if (!Directory.Exists(_scratch["rows"]))
            Shear.Json("tokenize", _scratch["corpus"], "--tokenizer", Shear.Demo, "--length", "16", "--out", _scratch["rows"]);
        string rows = JsonSerializer.Serialize(_scratch["rows"]), training = $"\"steps\": {steps}, \"batch-size\": 2, \"micro-batch\": 2, \"checkpoint-every\": 1, \"keep\": 9";
        return _scratch.Write("recipe.json", $$"""
            { "model": {{JsonSerializer.Serialize(Shear.Demo)}}, "data": {{rows}}, "held-out": {{rows}}, "target": { "intermediate": 320 },
              "learn": { {{training}}, "held-out-rows": 2, "accept-unconverged": true }, "continue": { {{training}}, "held-out-rows": 2 } }
            """);
    }

    private static bool Same(IReadOnlyDictionary<string, string> a, IReadOnlyDictionary<string, string> b) => a.Count == b.Count && a.All(f => b.TryGetValue(f.Key, out string? hash) && hash == f.Value);

    private static void Remove(string path)
    {
        if (Directory.Exists(path))
            Directory.Delete(path, recursive: true);
        else
            File.Delete(path);
    }

    private static SortedDictionary<string, string> Tree(string path) => File.Exists(path)
        ? new() { [""] = Hash(path) }
        : new(Directory.EnumerateFileSystemEntries(path, "*", SearchOption.AllDirectories).ToDictionary(f => Path.GetRelativePath(path, f), f => Directory.Exists(f) ? "folder" : Hash(f)), StringComparer.Ordinal);

    private static string Hash(string file) => System.Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)));

    private sealed class KilledException : Exception;
}
