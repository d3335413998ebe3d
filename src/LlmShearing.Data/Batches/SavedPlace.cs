using System.Text.Json.Nodes;

namespace LlmShearing.Data.Batches;

/// <summary>Reads saved places of data, which may have been edited or belong to other data.</summary>
internal static class SavedPlace
{
    /// <summary>Refuses a state of another kind of data, or of the same kind with other rows or settings.</summary>
    public static void Check(JsonObject state, string kind, string identity)
    {
        if (Text(state, "data") is var found && found != kind)
            throw new TokenDataException($"The saved place belongs to data of kind '{found}', these are '{kind}'. Resume with the data that the run began with.");
        if (Text(state, "identity") is var other && other != identity)
            throw new TokenDataException($"The saved place belongs to other data (identity {other}, these have {identity}): rows, seed, batch size or proportions differ. Resume with what the run began with.");
    }

    /// <summary>A member that is an object.</summary>
    public static JsonObject Object(JsonObject state, string member) =>
        state[member] as JsonObject ?? throw Bad(state, member, "an object");

    /// <summary>A member that is a number from 0 to <paramref name="largest"/>.</summary>
    public static long Number(JsonObject state, string member, long largest) =>
        state[member] is JsonValue value && value.TryGetValue(out long number) && number >= 0 && number <= largest ? number : throw Bad(state, member, $"a number from 0 to {largest}");

    private static string Text(JsonObject state, string member) =>
        state[member] is JsonValue value && value.TryGetValue(out string? text) && text is not null ? text : throw Bad(state, member, "a text");

    private static TokenDataException Bad(JsonObject state, string member, string expected)
    {
        string found = state[member]?.ToJsonString() ?? "nothing";
        return new TokenDataException($"The saved place has {member} {(found.Length <= 80 ? found : found[..77] + "...")}; expected {expected}. The training checkpoint is damaged.");
    }
}
