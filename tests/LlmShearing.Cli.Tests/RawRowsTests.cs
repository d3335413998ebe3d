using System.Text.Json.Nodes;
using LlmShearing.Data.Formats;
using LlmShearing.Testing;

namespace LlmShearing.Cli.Tests;

/// <summary>MDS ids of a width that no file states, in every verb that reads rows.</summary>
public sealed class RawRowsTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData(8, "int64", null)]
    [InlineData(4, "int32", null)]
    [InlineData(2, "uint16", "int64")]
    [InlineData(2, "uint16", "int32")]
    public void AnotherWidth_IsRefusedByNameOrReadAsNamed(int width, string right, string? asked)
    {
        int[][] rows = Rows();
        RawMds.Write(_scratch["raw/wiki"], width, rows);
        RawMds.Write(_scratch["plain/wiki"], 2, rows);
        string[] wrong = asked is null ? [] : ["--mds-dtype", asked];
        string[][] verbs =
        [
            ["eval", Shear.Demo, "--data", _scratch["raw"]],
            ["reference-loss", Shear.Demo, "--data", _scratch["raw"], "--out", _scratch["losses.json"]],
            ["split", _scratch["raw"], "--held-out", "2", "--out", _scratch["split"]],
            ["train", Shear.Demo, "--data", _scratch["raw"], "--steps", "1", "--out", _scratch["out"]],
            ["train", Shear.Demo, "--data", _scratch["plain"], "--held-out", _scratch["raw"], "--steps", "1", "--out", _scratch["out"]],
        ];
        foreach (string[] verb in verbs)
        {
            // The rows of --data are read with the same option.
            if (asked is not null && verb.Contains("--held-out") && verb[0] == "train")
                continue;
            string message = Shear.BadInput([.. verb, .. wrong]);
            Assert.Contains(right, message, StringComparison.Ordinal);
            Assert.Contains(asked ?? "uint16", message, StringComparison.Ordinal);
            Assert.Contains("--mds-dtype", message, StringComparison.Ordinal);
        }

        Assert.Equal(["plain", "raw"], _scratch.Names);
        Assert.Equal(
            Shear.Json("eval", Shear.Demo, "--data", _scratch["plain"]).GetProperty("domains").ToString(),
            Shear.Json("eval", Shear.Demo, "--data", _scratch["raw"], "--mds-dtype", right).GetProperty("domains").ToString());
        Shear.Json("split", _scratch["raw"], "--held-out", "2", "--out", _scratch["split"], "--mds-dtype", right);
        Assert.Equal(16, TokenRows.Open(_scratch["split/held-out/wiki"]).RowLength);
    }

    [Fact]
    public void AnIdBeyondTheModel_IsRefusedByFileRowAndPosition()
    {
        int[][] rows = Rows();
        rows[7][3] = 2048;
        RawMds.Write(_scratch["raw/wiki"], 2, rows);
        string place = $"{_scratch["raw/wiki"]}, row 7, token 3: id 2048 is outside the model's vocabulary of 2048";
        Assert.Contains(place, Shear.BadInput("eval", Shear.Demo, "--data", _scratch["raw"]), StringComparison.Ordinal);
        Assert.Contains(place, Shear.BadInput("train", Shear.Demo, "--data", _scratch["raw"], "--steps", "1", "--out", _scratch["out"]), StringComparison.Ordinal);
        string ids = _scratch.Write("ids.json", "[[1,2,3,4],[1,2,2048,4]]");
        foreach (string[] verb in new[] { new[] { "eval", Shear.Demo }, ["score", Shear.Demo, "--scorer", "block-influence"] })
            Assert.Contains($"{ids}, row 1, token 2: id 2048 is outside the model's vocabulary of 2048", Shear.BadInput([.. verb, "--ids", ids]), StringComparison.Ordinal);
    }

    [Fact]
    public void Recovery_TakesTheTypeToo()
    {
        RawMds.Write(_scratch["raw/wiki"], 8, Rows());
        string[] command = ["prune", Shear.Demo, "--remove-layers", "1", "--recover", "full", "--recover-data", _scratch["raw"], "--recover-steps", "1", "--recover-batch", "2", "--out", _scratch["out"]];
        Assert.Contains("int64 rather than uint16", Shear.BadInput(command), StringComparison.Ordinal);
        Directory.Delete(_scratch["out.run"], recursive: true);
        Shear.Json([.. command, "--mds-dtype", "int64"]);
        Assert.Contains("needs --recover", Shear.BadInput("prune", Shear.Demo, "--remove-layers", "1", "--mds-dtype", "int64", "--out", _scratch["other"]), StringComparison.Ordinal);
    }

    [Fact]
    public void ATokenizerWithMoreTokensThanTheModel_IsFineUntilATextUsesThem()
    {
        string model = LongerTokenizer();
        string good = _scratch.Write("good.jsonl", "{\"text\":\"plain words and more plain words, again and again\"}\n");
        string bad = _scratch.Write("bad.jsonl", "{\"text\":\"plain words\"}\n{\"text\":\"words <pad> words\"}\n");
        string records = _scratch.Write("records.jsonl", "{\"instruction\":\"a\",\"output\":\"b\"}\n{\"instruction\":\"a and more\",\"output\":\"b and more words\"}\n");
        Shear.Json("eval", model, "--file", good);
        Shear.Json("score", model, "--scorer", "block-influence", "--file", good, "--length", "4", "--samples", "1");
        Shear.Json("train", model, "--file", good, "--length", "4", "--steps", "1", "--batch-size", "1", "--micro-batch", "1", "--out", _scratch["trained"]);
        // Two lengths in a batch: the pad token, which the model has no row for, is not what fills it up.
        ShearResult tuned = Shear.Run("train", model, "--instructions", records, "--steps", "1", "--batch-size", "2", "--micro-batch", "2", "--out", _scratch["tuned"]);
        Assert.Equal(0, tuned.Code);
        Assert.Contains("no row for the tokenizer's pad token 2048", tuned.Error, StringComparison.Ordinal);

        string place = $"{bad}, record 1, token ";
        foreach (string[] verb in new[] { new[] { "eval", model, "--file", bad }, ["train", model, "--file", bad, "--length", "4", "--steps", "1", "--out", _scratch["out"]], ["prune", model, "--remove-layers", "1", "--evaluate", bad, "--out", _scratch["out"]] })
        {
            string message = Shear.BadInput(verb);
            Assert.Contains(place, message, StringComparison.Ordinal);
            Assert.Contains("'<pad>' is id 2048, outside the model's vocabulary of 2048", message, StringComparison.Ordinal);
        }
    }

    private string LongerTokenizer()
    {
        string folder = Directory.CreateDirectory(_scratch["model"]).FullName;
        foreach (string file in Directory.GetFiles(Shear.Demo))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        string path = Path.Combine(folder, "tokenizer.json");
        JsonNode tokenizer = JsonNode.Parse(File.ReadAllText(path))!;
        tokenizer["added_tokens"]!.AsArray().Add(JsonNode.Parse("""{"id": 2048, "content": "<pad>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}"""));
        File.WriteAllText(path, tokenizer.ToJsonString());
        path = Path.Combine(folder, "tokenizer_config.json");
        JsonNode config = JsonNode.Parse(File.ReadAllText(path))!;
        config["pad_token"] = "<pad>";
        File.WriteAllText(path, config.ToJsonString());
        return folder;
    }

    private static int[][] Rows()
    {
        var random = new Random(5);
        return [.. Enumerable.Range(0, 20).Select(_ => Enumerable.Range(0, 16).Select(_ => random.Next(1, 2048)).ToArray())];
    }
}
