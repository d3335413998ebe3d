// Opens token files of every kind that can be read, by what they are.
using LlmShearing.Data.Mds;
using LlmShearing.Data.Rows;
using LlmShearing.Data.Shards;

namespace LlmShearing.Data.Formats;

/// <summary>Opens token rows on disk, whatever their format.</summary>
public static class TokenRows
{
    /// <summary>
    /// Opens one set of rows. What it is follows from its content: a shard of this library (.tok), NumPy (.npy), llm.c (.bin), Megatron (.idx with .bin, or their common stem),
    /// any other .bin as a headerless stream (nanoGPT), a folder whose index.json is this library's or that of an MDS data set.
    /// </summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="options">What the file does not say; null = defaults.</param>
    /// <returns>The rows; the caller disposes them.</returns>
    /// <exception cref="TokenDataException">There is nothing there, or it is damaged or of an unknown kind; the message names the file and the field.</exception>
    public static ITokenRows Open(string path, TokenRowsOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new TokenRowsOptions();
        if (Directory.Exists(path))
            return OpenFolder(path, options);
        if (File.Exists(path))
            return OpenFile(path, options);
        if (File.Exists(path + ".idx"))
            return MegatronFile.Open(path, options);
        throw new TokenDataException($"There are no token rows at '{path}': it does not exist.");
    }

    /// <summary>Opens every domain of a folder: each subfolder that holds rows, in ordinal order of names.</summary>
    /// <param name="folder">The folder, as <c>shear tokenize</c> writes it; one that holds rows itself counts as a single domain.</param>
    /// <param name="options">What the files do not say; null = defaults.</param>
    /// <returns>Rows by domain; the caller disposes them.</returns>
    /// <exception cref="TokenDataException">There is no domain, two have the same name, or one is damaged.</exception>
    public static IReadOnlyList<ITokenRows> OpenDomains(string folder, TokenRowsOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
            throw new TokenDataException($"There is no folder '{folder}'.");
        if (HasIndex(folder))
            return [Open(folder, options)];
        var domains = new List<ITokenRows>();
        try
        {
            foreach (string sub in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal))
                if (HasIndex(sub))
                    domains.Add(Open(sub, options));
            if (domains.Count == 0)
                throw new TokenDataException($"'{folder}' has no subfolder with an {TokenShardIndex.FileName}. Make one with 'shear tokenize'.");
            if (domains.GroupBy(d => d.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
                throw new TokenDataException($"'{folder}' has {twice.Count()} subfolders whose domain is '{twice.Key}'. Names of domains must differ.");
            return domains;
        }
        catch
        {
            domains.ForEach(d => d.Dispose());
            throw;
        }
    }

    private static bool HasIndex(string folder) => File.Exists(Path.Combine(folder, TokenShardIndex.FileName));

    private static ITokenRows OpenFolder(string folder, TokenRowsOptions options)
    {
        string path = Path.Combine(folder, TokenShardIndex.FileName);
        if (!File.Exists(path))
            throw new TokenDataException($"'{folder}' has no {TokenShardIndex.FileName}; it is neither a domain made by 'shear tokenize' nor an MDS data set.");
        return TokenShardIndex.IsOne(path) ? Checked(TokenShardIndex.Load(path).Open(folder), folder, options) : MdsTokenRows.Open(folder, options);
    }

    private static ITokenRows OpenFile(string path, TokenRowsOptions options)
    {
        Span<byte> start = stackalloc byte[16];
        using (FileStream file = TokenStreams.OpenFile(path))
            start = start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        string extension = Path.GetExtension(path).ToUpperInvariant();
        string stem = Path.ChangeExtension(path, null);
        if (start.StartsWith(TokenShardHeader.Magic) || extension == ".TOK")
            return Checked(TokenShard.Open(path), path, options);
        if (start.StartsWith(NpyFile.Magic) || extension == ".NPY")
            return NpyFile.Open(path, options);
        if (start.StartsWith(MegatronFile.Magic) || (extension == ".BIN" && File.Exists(stem + ".idx")))
            return MegatronFile.Open(stem, options);
        if (TokenStreams.IsLlmc(start))
            return TokenStreams.OpenLlmc(path, options);
        if (extension == ".BIN")
            return TokenStreams.OpenHeaderless(path, options);
        throw new TokenDataException($"{path} is no token file that is known here: a shard (.tok), .npy, llm.c or nanoGPT .bin, Megatron .idx.");
    }

    private static ITokenRows Checked(ITokenRows rows, string path, TokenRowsOptions options)
    {
        if (options.RowLength is not { } wanted || rows.RowLength == wanted)
            return rows;
        rows.Dispose();
        throw new TokenDataException($"{path} has rows of {rows.RowLength} ids; expected {wanted}.");
    }
}
