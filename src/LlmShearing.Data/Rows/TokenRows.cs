// Opens token files of every kind that can be read, by what they are.
namespace LlmShearing.Data;

/// <summary>Opens token rows on disk, whatever their format.</summary>
public static class TokenRows
{
    /// <summary>Opens one set of rows.</summary>
    /// <param name="path">A shard file (<c>.tok</c>), or a domain's folder with its index.json.</param>
    /// <returns>The rows; the caller disposes them.</returns>
    /// <exception cref="TokenDataException">There is nothing there, or it is damaged or of an unknown kind.</exception>
    public static ITokenRows Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path))
            return TokenShard.Open(path);
        string index = Path.Combine(path, TokenShardIndex.FileName);
        if (File.Exists(index))
            return TokenShardIndex.Load(index).Open(path);
        throw new TokenDataException($"There are no token rows at '{path}': neither a file nor a folder with {TokenShardIndex.FileName}.");
    }

    /// <summary>Opens every domain of a folder: each subfolder that holds rows, in ordinal order of names.</summary>
    /// <param name="folder">The folder, as <c>shear tokenize</c> writes it; one that holds rows itself counts as a single domain.</param>
    /// <returns>Rows by domain; the caller disposes them.</returns>
    /// <exception cref="TokenDataException">There is no domain, two have the same name, or one is damaged.</exception>
    public static IReadOnlyList<ITokenRows> OpenDomains(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
            throw new TokenDataException($"There is no folder '{folder}'.");
        if (File.Exists(Path.Combine(folder, TokenShardIndex.FileName)))
            return [Open(folder)];
        var domains = new List<ITokenRows>();
        try
        {
            foreach (string sub in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal))
                if (File.Exists(Path.Combine(sub, TokenShardIndex.FileName)))
                    domains.Add(Open(sub));
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
}
