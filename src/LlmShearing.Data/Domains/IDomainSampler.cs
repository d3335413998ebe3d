using System.Text.Json.Nodes;

namespace LlmShearing.Data.Domains;

/// <summary>
/// Says from which domain of the training data the next sample comes, and how that adapts to losses. Stateful: one instance a training run, used by one thread.
/// </summary>
public interface IDomainSampler
{
    /// <summary>Names of the domains; their order is that of <see cref="Proportions"/> and of losses.</summary>
    IReadOnlyList<string> Domains { get; }

    /// <summary>Share of each domain in the samples to come; each 0 or more, together 1.</summary>
    IReadOnlyList<double> Proportions { get; }

    /// <summary>Whether <see cref="Update"/> may change the proportions. Otherwise evaluations need not cover the domains.</summary>
    bool Adapts => true;

    /// <summary>Chooses the domain of the next sample. Deterministic in the sampler's seed and state.</summary>
    /// <returns>Index into <see cref="Domains"/>.</returns>
    int NextDomain();

    /// <summary>Tells the sampler how well the model does on each domain. Samplers with fixed proportions check the losses and leave it at that.</summary>
    /// <param name="losses">Mean loss of each domain in nats per token, in the order of <see cref="Domains"/>.</param>
    /// <exception cref="TokenDataException">There is not one finite loss for each domain.</exception>
    void Update(IReadOnlyList<double> losses);

    /// <summary>What else decides the choices, besides domains and proportions at the start: reference losses, step sizes. A run resumes only with equal descriptions.</summary>
    /// <returns>A small JSON object; null when there is nothing else.</returns>
    JsonObject? Describe() => null;

    /// <summary>Everything needed to go on later with the same choices.</summary>
    /// <returns>A small JSON object for a training checkpoint; the caller's to keep.</returns>
    JsonObject Save();

    /// <summary>Goes back to a saved state.</summary>
    /// <param name="state">What <see cref="Save"/> returned, of a sampler with the same options.</param>
    /// <exception cref="TokenDataException">The state is damaged or belongs to a sampler with other options; nothing is changed then.</exception>
    void Restore(JsonObject state);
}
