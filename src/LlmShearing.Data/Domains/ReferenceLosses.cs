// Reference losses as files and as fits. A file is one JSON object: domain to mean loss in nats per token, for example { "web": 2.31, "code": 0.94 }.
using System.Text.Json;
using LlmShearing.Files;
using LlmShearing.Json;

namespace LlmShearing.Data.Domains;

/// <summary>Reference losses by domain: read, written, and predicted from losses measured on models of several sizes.</summary>
public static class ReferenceLosses
{
    // A thousand domains with long names stay far below.
    private const long MaxBytes = 1 << 20;

    /// <summary>Reads a file of losses.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Loss in nats per token by domain; at least one.</returns>
    /// <exception cref="ReferenceLossException">The file cannot be read, is no JSON object of numbers, names a domain twice or none at all, or a loss is negative.</exception>
    public static IReadOnlyDictionary<string, double> Load(string path) =>
        StrictJson.ReadFile(path, MaxBytes, (message, cause) => new ReferenceLossException(message, cause), json =>
        {
            var losses = new SortedDictionary<string, double>(json.Numbers(), StringComparer.Ordinal);
            return Problem(losses) is { } problem ? throw new FormatException(problem) : losses;
        });

    /// <summary>Writes a file of losses, whole or not at all.</summary>
    /// <param name="path">The file; replaced when it exists.</param>
    /// <param name="losses">Loss in nats per token by domain; at least one.</param>
    /// <exception cref="ReferenceLossException">There is no domain, or a loss is no number or negative.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Save(string path, IReadOnlyDictionary<string, double> losses)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(losses);
        if (Problem(losses) is { } problem)
            throw new ReferenceLossException(problem);
        AtomicFile.Write(path, stream =>
        {
            using var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
            writer.WriteStartObject();
            foreach ((string domain, double loss) in losses.OrderBy(l => l.Key, StringComparer.Ordinal))
                writer.WriteNumber(domain, loss);
            writer.WriteEndObject();
        });
    }

    /// <summary>Fits a scaling law to each domain.</summary>
    /// <param name="measured">For each model its number of parameters, embeddings included, and its loss by domain; the same domains for all.</param>
    /// <returns>Fit by domain; <see cref="ScalingLaw.LossAt"/> of the size wanted is the reference loss.</returns>
    /// <exception cref="ReferenceLossException">There are fewer than three models, a domain is missing at a size, or a domain has no law; the message names it.</exception>
    public static IReadOnlyDictionary<string, ScalingLawFit> Fit(IEnumerable<(double Parameters, IReadOnlyDictionary<string, double> Losses)> measured)
    {
        ArgumentNullException.ThrowIfNull(measured);
        (double Parameters, IReadOnlyDictionary<string, double> Losses)[] models = [.. measured];
        string[] domains = [.. models.SelectMany(m => m.Losses.Keys).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        if (domains.Length == 0)
            throw new ReferenceLossException("There are no measured losses to fit.");
        foreach ((double parameters, IReadOnlyDictionary<string, double> losses) in models)
            if (domains.FirstOrDefault(d => !losses.ContainsKey(d)) is { } missing)
                throw new ReferenceLossException(ScalingLaw.Text($"There is no loss for domain '{missing}' at {parameters} parameters; there is: {string.Join(", ", losses.Keys.Order(StringComparer.Ordinal))}. Measure the same domains on every model."));
        var fits = new SortedDictionary<string, ScalingLawFit>(StringComparer.Ordinal);
        foreach (string domain in domains)
        {
            try
            {
                fits[domain] = ScalingLaw.Fit(models.Select(m => new ScalingLawPoint(m.Parameters, m.Losses[domain])));
            }
            catch (ReferenceLossException e)
            {
                throw new ReferenceLossException($"Domain '{domain}': {e.Message}", e);
            }
        }

        return fits;
    }

    private static string? Problem(IReadOnlyDictionary<string, double> losses)
    {
        if (losses.Count == 0)
            return "There is no domain. Give at least one with its loss, for example { \"web\": 2.31 }.";
        foreach ((string domain, double loss) in losses)
        {
            if (string.IsNullOrWhiteSpace(domain))
                return "A domain has no name.";
            if (!double.IsFinite(loss) || loss < 0)
                return ScalingLaw.Text($"The loss of domain '{domain}' is {loss}; it must be a number of nats per token, 0 or more.");
        }

        return null;
    }
}
