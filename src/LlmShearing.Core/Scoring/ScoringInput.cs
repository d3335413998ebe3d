// What every scorer checks before it starts, so that all of them refuse the same input with the same words.
using System.ComponentModel.DataAnnotations;

namespace LlmShearing.Scoring;

/// <summary>The checks that every scorer begins with.</summary>
public static class ScoringInput
{
    /// <summary>Refuses options whose annotations do not hold; lists all of them.</summary>
    public static void EnsureOptions(object options, string scorer)
    {
        ArgumentNullException.ThrowIfNull(options);
        var errors = new List<ValidationResult>();
        if (!Validator.TryValidateObject(options, new ValidationContext(options), errors, validateAllProperties: true))
            throw new ScoringException($"The options of '{scorer}' are not valid: {string.Join(" ", errors.Select(e => e.ErrorMessage))}");
    }

    /// <summary>Refuses axes that the scorer does not know.</summary>
    public static void EnsureAxes(ScoringRequest request, PruningAxes supported, string scorer)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(request.Model);
        LlamaModel.EnsureAlive(request.Model);
        if (request.Axes == PruningAxes.None)
            throw new ScoringException($"No axis was asked for. '{scorer}' scores: {supported}.");
        if ((request.Axes & ~supported) is var unknown && unknown != PruningAxes.None)
            throw new ScoringException($"'{scorer}' cannot score {unknown}; it scores: {supported}. Ask for those, or use another scorer.");
    }

    /// <summary>Reads all calibration batches and checks them against the model.</summary>
    /// <param name="request">The request; its data is enumerated once.</param>
    /// <param name="scorer">Name for messages.</param>
    /// <param name="minimumTokens">Real tokens that every row must have.</param>
    /// <param name="cancellationToken">Checked after each batch.</param>
    public static IReadOnlyList<TokenBatch> ReadCalibration(ScoringRequest request, string scorer, int minimumTokens, CancellationToken cancellationToken)
    {
        if (request.Calibration is null)
            throw new TokenDataException($"'{scorer}' needs calibration data. Give at least one batch of token ids.");
        var batches = new List<TokenBatch>();
        foreach (TokenBatch batch in request.Calibration)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Ensure(batch, batches.Count, request.Model.Config.Shape.VocabSize, scorer, minimumTokens);
            batches.Add(batch);
        }

        return batches.Count > 0 ? batches : throw new TokenDataException($"'{scorer}' needs calibration data. Give at least one batch of token ids.");
    }

    private static void Ensure(TokenBatch batch, int number, int vocabulary, string scorer, int minimumTokens)
    {
        for (int row = 0; row < batch.BatchSize; row++)
        {
            int real = 0, scored = 0;
            for (int t = 0; t < batch.SequenceLength; t++)
            {
                int id = batch.Ids[(row * batch.SequenceLength) + t];
                if (id >= vocabulary)
                    throw new TokenDataException($"Calibration batch {number}, row {row}, token {t}: id {id} is outside the vocabulary of {vocabulary}. Use the tokenizer of the model.");
                real += batch.IsReal(row, t) ? 1 : 0;
                scored += t > 0 && batch.IsReal(row, t) && batch.IsReal(row, t - 1) ? 1 : 0;
            }

            if (real < minimumTokens)
                throw new TokenDataException($"Calibration batch {number}, row {row} has {real} real tokens; '{scorer}' needs at least {minimumTokens}. Remove short rows.");
            if (minimumTokens > 1 && scored == 0)
                throw new TokenDataException($"Calibration batch {number}, row {row} has no real token that follows another one, so nothing to score. Check its attention mask.");
        }
    }
}
