// Text files to token rows: checks the request, then does one domain after the other.
using LlmShearing.Tokenizers;

namespace LlmShearing.Data.Corpus;

/// <summary>
/// Makes token rows of text: documents encoded by several threads, joined, and cut into rows of one length, domain by domain. The rows depend on the text, the tokenizer
/// and the options only, not on the number of threads. A run that was stopped goes on behind the last finished file; a domain that is complete is not touched.
/// </summary>
public sealed class CorpusTokenizer
{
    private readonly ITokenizer _tokenizer;
    private readonly CorpusTokenizerOptions _options;

    /// <summary>Creates a corpus tokenizer.</summary>
    /// <param name="tokenizer">Encodes the documents.</param>
    /// <param name="options">How; null = defaults. Not to be changed during a run.</param>
    /// <exception cref="TokenDataException">An option is not valid, or the tokenizer has no BOS or EOS to add.</exception>
    public CorpusTokenizer(ITokenizer tokenizer, CorpusTokenizerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        (_tokenizer, _options) = (tokenizer, options ?? new CorpusTokenizerOptions());
        if (_options.Problem() is { } problem)
            throw new TokenDataException(problem);
        if (_options.AddBos && tokenizer.BosTokenId is null)
            throw new TokenDataException("The tokenizer has no BOS token to put in front of documents. Turn that off (AddBos = false, --no-bos).");
        if (_options.AddEos && tokenizer.EosTokenId is null)
            throw new TokenDataException("The tokenizer has no EOS token to put behind documents. Turn that off (AddEos = false, --no-eos).");
    }

    /// <summary>Encodes domains into <c>folder/domain/</c>: shard files and an index.json each (docs/token-shards.md).</summary>
    /// <param name="domains">The domains; see <see cref="CorpusDomain.Discover"/>.</param>
    /// <param name="folder">Output folder; made when it is missing.</param>
    /// <param name="progress">Receives bytes of source files read.</param>
    /// <param name="cancellationToken">Stops after the current document; finished files are kept for the next run.</param>
    /// <returns>What was made, by domain.</returns>
    /// <exception cref="TokenDataException">
    /// A file is missing, damaged or no text; the message names file and line. A domain has too little text for one row, two have one name, or the folder holds rows made otherwise.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public CorpusReport Tokenize(IReadOnlyList<CorpusDomain> domains, string folder, IProgress<ShearingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(domains);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        Check(domains);
        string fingerprint = TokenizerFingerprint.Of(_tokenizer);
        DomainTokenizer[] jobs = [.. domains.Select(d => new DomainTokenizer(d, Path.Combine(folder, d.Name), _tokenizer, fingerprint, _options))];
        long total = jobs.Sum(j => j.TotalBytes);
        long before = 0;
        var reports = new List<CorpusDomainReport>();
        foreach (DomainTokenizer job in jobs)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long start = before;
            reports.Add(job.Run(bytes => progress?.Report(new ShearingProgress("tokenizing", start + bytes, total, "bytes")), cancellationToken));
            before += job.TotalBytes;
        }

        return new CorpusReport(reports);
    }

    private static void Check(IReadOnlyList<CorpusDomain> domains)
    {
        if (domains.Count == 0)
            throw new TokenDataException("There is no text: no domain is given.");
        foreach (CorpusDomain domain in domains)
        {
            if (string.IsNullOrWhiteSpace(domain.Name) || domain.Name.StartsWith('.') || domain.Name.AsSpan().IndexOfAny(Path.GetInvalidFileNameChars()) >= 0 || domain.Name.Contains('\\', StringComparison.Ordinal))
                throw new TokenDataException($"'{domain.Name}' cannot be the name of a domain: it becomes the name of a folder. Give another: NAME=PATH.");
            if (domain.Files.Count == 0)
                throw new TokenDataException($"The domain '{domain.Name}' has no files.");
        }

        // Folders whose names differ in case only would be one on some systems.
        if (domains.GroupBy(d => d.Name, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new TokenDataException($"Several domains are named '{twice.Key}': {string.Join(", ", twice.Select(d => Path.Combine(d.Root, d.Files[0])))}. Name them apart: NAME=PATH for each, or put the files into one folder.");
    }
}
