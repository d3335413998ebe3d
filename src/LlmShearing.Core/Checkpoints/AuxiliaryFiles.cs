// The files beside weights, index and configuration: tokenizer, templates, code, licences, whatever there is. They travel with the model, subfolders too; what does not is named.
using System.Globalization;
using LlmShearing.Files;

namespace LlmShearing.Checkpoints;

/// <param name="Files">What travels: its path and where it goes, relative to the folder.</param>
/// <param name="LeftOut">What does not, each with the reason.</param>
internal sealed record AuxiliaryFiles(IReadOnlyList<(string Path, string Relative)> Files, IReadOnlyList<string> LeftOut)
{
    private const long LargestFile = 100L << 20, LargestTotal = 500L << 20;
    private const int MostFiles = 10_000, Deepest = 16;

    // They describe weights of another layout, which stay behind: with the new weights beside them they would be wrong.
    private static readonly string[] OtherConfigurations = ["adapter_config.json", "params.json", "quantize_config.json", "quant_config.json", "consolidated.safetensors.index.json"];

    /// <summary>Looks through a folder. Links are followed as contents, but never into a folder that holds the link itself.</summary>
    /// <param name="folder">Folder of the model that the files belong to.</param>
    /// <param name="except">Folders inside it that are being written; not looked into.</param>
    /// <exception cref="CheckpointException">The folder cannot be read.</exception>
    public static AuxiliaryFiles Find(string folder, params string[] except)
    {
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        var walk = new Walk(folder, [.. except.Select(e => Path.TrimEndingDirectorySeparator(Path.GetFullPath(e)))]);
        try
        {
            walk.Folder(folder, "", [LinkedPath.Of(folder)]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"'{folder}' cannot be read: {e.Message}", folder, e);
        }

        return new AuxiliaryFiles(walk.Files, walk.LeftOut);
    }

    /// <summary>The same with the tokenizer of another folder where that has one: for a model whose vocabulary is no longer its source's.</summary>
    public AuxiliaryFiles WithTokenizerOf(string folder)
    {
        (string Path, string Relative)[] own = [.. Find(folder).Files.Where(f => IsTokenizer(f.Relative))];
        return own.Any(f => f.Relative is "tokenizer.json" or "tokenizer.model")
            ? this with { Files = [.. Files.Where(f => !IsTokenizer(f.Relative)), .. own] }
            : this;
    }

    private static bool IsTokenizer(string relative) =>
        relative is "tokenizer.json" or "tokenizer.model" or "tokenizer_config.json" or "special_tokens_map.json" or "added_tokens.json" or "vocab.json" or "merges.txt" or "tekken.json"
            or "chat_template.jinja" or "chat_template.json"
        || relative.StartsWith("additional_chat_templates/", StringComparison.Ordinal);

    /// <summary>Copies them byte for byte.</summary>
    /// <exception cref="CheckpointException">A file cannot be copied.</exception>
    public void CopyTo(string target, CancellationToken cancellationToken)
    {
        foreach ((string file, string relative) in Files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string copy = Path.Combine(target, relative);
            try
            {
                FileSteps.CreateFolder(Path.GetDirectoryName(copy)!);
                // Pipes and devices have no length and must not be opened: they would never end.
                if (FileFacts.Length(file) == 0)
                {
                    FileSteps.Create(copy, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write }).Dispose();
                    continue;
                }

                FileSteps.CopyFile(file, copy);
                if (!OperatingSystem.IsWindows())
                    File.SetUnixFileMode(copy, File.GetUnixFileMode(copy) | UnixFileMode.UserWrite); // a read-only source must not make a read-only copy
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CheckpointException($"'{file}' cannot be copied: {e.Message}", file, e);
            }
        }
    }

    private sealed class Walk(string root, string[] except)
    {
        private readonly HashSet<string> _own = OwnFiles(root);
        private long _total;
        private int _seen;

        public List<(string Path, string Relative)> Files { get; } = [];

        public List<string> LeftOut { get; } = [];

        /// <param name="folder">Where it is.</param>
        /// <param name="relative">Its path from the root; empty for the root itself.</param>
        /// <param name="above">Real paths of the folders that lead here, this one included.</param>
        public void Folder(string folder, string relative, IReadOnlyList<string> above)
        {
            string[] entries = [.. Directory.EnumerateFileSystemEntries(folder).Order(StringComparer.Ordinal)];
            if (relative.Length > 0 && entries.FirstOrDefault(e => !Directory.Exists(e) && WeightFiles.IsWeights(e)) is { } weights)
            {
                LeftOut.Add($"{relative}/ (holds weights: {Path.GetFileName(weights)})");
                return;
            }

            foreach (string entry in entries)
            {
                if (++_seen > MostFiles)
                {
                    LeftOut.Add($"everything from {Path.GetRelativePath(root, entry)} on (at most {MostFiles} files travel)");
                    _seen = int.MaxValue / 2;
                    return;
                }

                string name = Path.GetFileName(entry), path = relative.Length == 0 ? name : $"{relative}/{name}";
                if (Directory.Exists(entry))
                    Inner(entry, name, path, above);
                else
                    File(entry, name, path, atRoot: relative.Length == 0);
                if (_seen > MostFiles)
                    return;
            }
        }

        private void Inner(string entry, string name, string path, IReadOnlyList<string> above)
        {
            if (except.Contains(entry, StringComparer.Ordinal) || Leftovers.IsOne(name))
                return;
            string real = LinkedPath.Of(entry);
            if (name.StartsWith('.'))
                LeftOut.Add($"{path}/ (hidden)");
            else if (above.Any(a => a == real || a.StartsWith(real.TrimEnd('/') + "/", StringComparison.Ordinal)))
                LeftOut.Add($"{path}/ (a link to a folder that holds it)");
            else if (above.Count > Deepest)
                LeftOut.Add($"{path}/ (deeper than {Deepest} folders)");
            else
                Folder(entry, path, [.. above, real]);
        }

        private void File(string entry, string name, string path, bool atRoot)
        {
            if ((atRoot && _own.Contains(name)) || Leftovers.IsOne(name))
                return;
            if (!System.IO.File.Exists(LinkedPath.Of(entry)))
                LeftOut.Add($"{path} (a link to nothing)");
            else if (WeightFiles.IsWeights(name))
                LeftOut.Add($"{path} (weights or saved state)");
            else if (WeightFiles.IsIndex(name))
                LeftOut.Add($"{path} (index of other weights)");
            else if (OtherConfigurations.Contains(name, StringComparer.OrdinalIgnoreCase))
                LeftOut.Add($"{path} (describes other weights)");
            else if (FileFacts.Length(entry) is var length && length > LargestFile)
                LeftOut.Add(string.Create(CultureInfo.InvariantCulture, $"{path} ({length} bytes; at most {LargestFile} travel)"));
            else if (_total + length > LargestTotal)
                LeftOut.Add(string.Create(CultureInfo.InvariantCulture, $"{path} (at most {LargestTotal} bytes travel in all)"));
            else
            {
                _total += length;
                Files.Add((entry, path));
            }
        }

        // What the new folder has of its own.
        private static HashSet<string> OwnFiles(string folder)
        {
            var own = new HashSet<string>(StringComparer.Ordinal) { "config.json", ShardIndex.SingleFileName, ShardIndex.FileName };
            try
            {
                WeightFiles weights = WeightFiles.Find(folder);
                if (weights.Single is { } single)
                    own.Add(Path.GetFileName(single));
                else
                    own.UnionWith(ShardIndex.Load(weights.Index!).Values);
            }
            catch (CheckpointException)
            {
                // A folder without weights of its own may still have a tokenizer to give.
            }

            return own;
        }
    }
}
