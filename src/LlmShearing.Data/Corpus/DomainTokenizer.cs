// One domain from text to shards: what is there already, the run itself, and the index at the end.
using System.Diagnostics;
using System.Text.Json.Nodes;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Shards;
using LlmShearing.Files;
using LlmShearing.Tokenizers;

namespace LlmShearing.Data.Corpus;

internal sealed class DomainTokenizer
{
    // Often enough that little is lost, rarely enough that thousands of small files do not each wait for the disk.
    private static readonly TimeSpan CheckpointInterval = TimeSpan.FromSeconds(1);

    private readonly CorpusDomain _domain;
    private readonly string _folder;
    private readonly ITokenizer _tokenizer;
    private readonly CorpusTokenizerOptions _options;
    private readonly JsonObject _settings;
    private readonly string[] _paths;
    private readonly (long Length, DateTime ModifiedUtc)[] _files;

    public DomainTokenizer(CorpusDomain domain, string folder, ITokenizer tokenizer, string fingerprint, CorpusTokenizerOptions options)
    {
        (_domain, _folder, _tokenizer, _options) = (domain, folder, tokenizer, options);
        _paths = [.. domain.Files.Select(f => Path.Combine(domain.Root, f))];
        if (_paths.FirstOrDefault(p => !File.Exists(p)) is { } missing)
            throw new TokenDataException($"'{Path.GetFullPath(missing)}' does not exist.");
        _files = [.. _paths.Select(Facts)];
        _settings = new JsonObject
        {
            ["tokenizer_sha256"] = fingerprint,
            ["row_length"] = options.RowLength,
            ["bos"] = options.AddBos,
            ["eos"] = options.AddEos,
            ["remainder"] = options.Remainder.ToString(),
            ["keep_empty_documents"] = options.KeepEmptyDocuments,
            ["invalid_text"] = options.InvalidText.ToString(),
            ["text_field"] = options.TextField,
        };
    }

    public long TotalBytes => _files.Sum(f => f.Length);

    private string IndexPath => Path.Combine(_folder, TokenShardIndex.FileName);

    private string JournalPath => Path.Combine(_folder, DomainJournal.FileName);

    public CorpusDomainReport Run(Action<long> progress, CancellationToken cancellationToken)
    {
        if (Finished() is { } finished)
            return Report(finished, repaired: 0, skipped: _paths.Length);
        try
        {
            FileSteps.CreateFolder(_folder);
            (TokenShardIndex index, long repaired, int skipped) = Encode(progress, cancellationToken);
            FileSteps.DeleteFile(JournalPath);
            if (index.Rows == 0)
            {
                Clear();
                throw new TokenDataException($"The domain '{_domain.Name}' has {index.Sources.Sum(s => s.Tokens)} tokens in {_paths.Length} files, which give no row of {_options.RowLength} ({_options.Remainder}). Give more text, shorter rows, or leave the domain out.");
            }

            return Report(index, repaired, skipped);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new TokenDataException($"'{_folder}' cannot be written: {e.Message}", e);
        }
    }

    private TokenShardIndex? Finished()
    {
        if (!File.Exists(IndexPath))
            return null;
        TokenShardIndex index;
        try
        {
            index = TokenShardIndex.Load(IndexPath);
            if (JsonNode.DeepEquals(index.Settings, _settings) && index.Sources.Count == _paths.Length && SameFiles(index.Sources)
                && index.Shards.All(s => Path.Combine(_folder, s.File) is var f && File.Exists(f) && TokenStreams.Length(f) == s.Bytes))
            {
                // A run that was killed at the very end leaves its journal and unfinished files.
                Leftovers.Sweep(IndexPath);
                RemoveParts();
                FileSteps.DeleteFile(JournalPath);
                return index;
            }
        }
        catch (TokenDataException) when (_options.Overwrite)
        {
        }

        if (!_options.Overwrite)
            throw Other("rows");
        Clear();
        return null;
    }

    private (TokenShardIndex Index, long Repaired, int Skipped) Encode(Action<long> progress, CancellationToken cancellationToken)
    {
        using var writer = new DomainShardWriter(_folder, _domain.Name, _options.RowLength, _tokenizer.VocabularySize, _options.ShardBytes);
        var packer = new RowPacker(_options.RowLength, _options.Remainder, writer.Write);
        List<TokenSource> sources = Resume(writer, packer);
        if (sources.Count == 0)
            writer.Resume(0, 0);
        using DomainJournal journal = sources.Count > 0 ? DomainJournal.Continue(JournalPath) : DomainJournal.Begin(JournalPath, _settings);
        int skipped = sources.Count;
        long repaired = 0;
        long bytesBefore = sources.Sum(s => s.Bytes);
        TokenSource current = Fresh(skipped, packer);
        (int Shard, long Rows, int[] Waiting) fileEnd = (writer.Shard, writer.RowsInShard, packer.Waiting.ToArray());
        long lastCheckpoint = Stopwatch.GetTimestamp();
        void Checkpoint()
        {
            writer.Flush();
            journal.Checkpoint(fileEnd.Shard, fileEnd.Rows, fileEnd.Waiting);
            lastCheckpoint = Stopwatch.GetTimestamp();
        }

        try
        {
            new EncodingPipeline(_tokenizer, _options).Run(_paths, skipped, Take, cancellationToken);
        }
        catch
        {
            Checkpoint();   // what is finished need not be done again
            throw;
        }

        return (Complete(writer, packer, sources), repaired, skipped);

        void Take(TextChunk chunk)
        {
            packer.Append(chunk.Ids!.WrittenSpan);
            repaired += chunk.RepairedDocuments;
            current = current with
            {
                Documents = current.Documents + chunk.Documents,
                EmptyDocuments = current.EmptyDocuments + chunk.EmptyDocuments,
                Tokens = current.Tokens + chunk.Ids.WrittenCount,
            };
            progress(bytesBefore + chunk.FileBytes);
            if (!chunk.IsLast)
                return;
            packer.EndFile();
            sources.Add(current with { Rows = packer.NextRow - current.FirstRow });
            journal.Add(sources[^1]);
            bytesBefore += current.Bytes;
            current = Fresh(sources.Count, packer);
            fileEnd = (writer.Shard, writer.RowsInShard, packer.Waiting.ToArray());
            if (Stopwatch.GetElapsedTime(lastCheckpoint) > CheckpointInterval)
                Checkpoint();
        }
    }

    /// <summary>Goes to the last checkpoint of an earlier run, if there is one.</summary>
    /// <returns>The sources that are finished.</returns>
    private List<TokenSource> Resume(DomainShardWriter writer, RowPacker packer)
    {
        if (!File.Exists(JournalPath))
            return [];
        (JsonObject? settings, DomainCheckpoint? checkpoint) = DomainJournal.Recover(JournalPath);
        if (settings is null)
            return [];
        if (!JsonNode.DeepEquals(settings, _settings) || (checkpoint is not null && !SameFiles(checkpoint.Sources)))
        {
            if (!_options.Overwrite)
                throw Other("an unfinished run");
            Clear();
            return [];
        }

        if (checkpoint is not { Sources.Count: > 0 } || checkpoint.Waiting.Length > _options.RowLength)
            return [];
        try
        {
            writer.Resume(checkpoint.Shard, checkpoint.RowsInShard);
        }
        catch (TokenDataException)
        {
            // The disk has less than the journal says, as after a power failure: from the start.
            return [];
        }

        // The rows of sources count the one that is waiting to fill.
        TokenSource last = checkpoint.Sources[^1];
        packer.Resume(last.FirstRow + last.Rows - (checkpoint.Waiting.Length > 0 ? 1 : 0), checkpoint.Waiting);
        return [.. checkpoint.Sources];
    }

    private TokenShardIndex Complete(DomainShardWriter writer, RowPacker packer, List<TokenSource> sources)
    {
        // The row that did not fill is no row.
        for (int i = sources.Count - 1; i >= 0 && sources[i].FirstRow + sources[i].Rows > packer.Rows; i--)
            sources[i] = sources[i] with { FirstRow = Math.Min(sources[i].FirstRow, packer.Rows), Rows = Math.Max(0, packer.Rows - sources[i].FirstRow) };
        var index = new TokenShardIndex(_domain.Name, _options.RowLength, _tokenizer.VocabularySize, writer.Complete(), sources, (JsonObject)_settings.DeepClone());
        if (index.Rows > 0)
            index.Save(IndexPath);
        RemoveParts();
        return index;
    }

    private void RemoveParts()
    {
        foreach (string stale in Directory.GetFiles(_folder, "*" + TokenShardHeader.Extension + ".part"))
            FileSteps.DeleteFile(stale);
    }

    private TokenSource Fresh(int source, RowPacker packer) =>
        source < _files.Length ? new TokenSource(_domain.Files[source], packer.NextRow, 0, 0, 0, 0, _files[source].Length, _files[source].ModifiedUtc.Ticks) : new TokenSource("", 0, 0, 0, 0, 0, 0, 0);

    private static (long Length, DateTime ModifiedUtc) Facts(string path)
    {
        try
        {
            return FileFacts.Of(path);
        }
        catch (Exception e) when ((e is FileNotFoundException or DirectoryNotFoundException) && FileFacts.IsLink(path))
        {
            throw new TokenDataException($"'{path}' is a symbolic link to a file that does not exist.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenDataException($"'{path}' cannot be read: {e.Message}", e);
        }
    }

    private bool SameFiles(IReadOnlyList<TokenSource> sources)
    {
        if (sources.Count > _files.Length)
            return false;
        for (int i = 0; i < sources.Count; i++)
            if (sources[i].File != _domain.Files[i] || sources[i].Bytes != _files[i].Length || sources[i].Modified != _files[i].ModifiedUtc.Ticks)
                return false;
        return true;
    }

    private void Clear()
    {
        foreach (string file in Directory.EnumerateFiles(_folder))
            if (Path.GetFileName(file) is TokenShardIndex.FileName or DomainJournal.FileName || file.EndsWith(TokenShardHeader.Extension, StringComparison.Ordinal) || file.EndsWith(TokenShardHeader.Extension + ".part", StringComparison.Ordinal))
                FileSteps.DeleteFile(file);
    }

    private TokenDataException Other(string what) =>
        new($"'{_folder}' holds {what} made with other settings, another tokenizer or from other files. Choose another folder, or have it overwritten (Overwrite = true, --overwrite).");

    private CorpusDomainReport Report(TokenShardIndex index, long repaired, int skipped)
    {
        long tokens = index.Sources.Sum(s => s.Tokens);
        return new CorpusDomainReport(
            _domain.Name, _folder, index.Rows, tokens, tokens - (index.Rows * _options.RowLength), index.Sources.Sum(s => s.Documents), index.Sources.Sum(s => s.EmptyDocuments), repaired, _paths.Length, skipped);
    }
}
