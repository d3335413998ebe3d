// Damaged copies of a valid file: bytes changed, cut, moved; numbers replaced; members of JSON deleted, doubled, renamed and retyped.
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace LlmShearing.Fuzz.Tests;

internal static class Mutator
{
    private static readonly long[] Numbers =
    [
        0, 1, -1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, int.MaxValue, int.MinValue, 1L << 31, uint.MaxValue, 1L << 32, 1L << 40, long.MaxValue, long.MinValue, (1L << 62) + 1,
    ];

    // Latin-1 keeps bytes that are no UTF-8: \u00ff is the byte 0xff.
    private static readonly string[] Values =
    [
        "null", "true", "false", "0", "-1", "1", "1.5", "-0.0", "2147483647", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808", "99999999999999999999999", "1e308", "1e999",
        "-1e999", "1e-400", "NaN", "Infinity", "\"\"", "\"x\"", "\"0\"", "\"\\ud800\"", "\"\\udc00a\"", "\"\\u0000\"", "\"\u00ff\"", "\"\u00c0\u0080\"", "[]", "{}", "[null]", "[[]]", "[0]", "[-1]",
        "[\"\\ud800\"]", "{\"a\":1}", "{\"a\":1,\"a\":2}", "{\"\\ud800\":1}", "{\"\":null}",
    ];

    /// <summary>The copy with a number: the same seed, reader and number always give the same bytes.</summary>
    public static byte[] Mutate(FuzzReader reader, byte[] valid, int seed, int number, out string description)
    {
        var random = new Random(Stable($"{seed}/{reader.Name}/{number}"));
        var steps = new List<string>();
        byte[] bytes = valid;
        int count = random.Next(4) == 0 ? random.Next(2, 5) : 1;
        for (int i = 0; i < count; i++)
            bytes = One(reader.Shape, bytes, random, steps);
        if (reader.Repair is { } repair && random.Next(4) != 0)
        {
            bytes = repair(bytes);
            steps.Add("checksums mended");
        }

        description = string.Join(", ", steps);
        return bytes;
    }

    private static byte[] One(FuzzShape shape, byte[] bytes, Random random, List<string> steps)
    {
        if (shape == FuzzShape.Expression && random.Next(2) == 0)
        {
            string expression = ExpressionMutator.Make(random);
            steps.Add($"expression {(expression.Length <= 200 ? expression : $"{expression[..200]}... of {expression.Length} characters")}");
            return Encoding.UTF8.GetBytes(expression);
        }

        if (shape is FuzzShape.Bytes or FuzzShape.Expression || random.Next(4) == 0)
            return Bytes(bytes, random, steps);
        (int start, int end) = Part(shape, bytes, random);
        byte[]? part = Json(bytes.AsSpan(start, end - start), random, steps);
        if (part is null)
            return Bytes(bytes, random, steps);
        byte[] whole = [.. bytes.AsSpan(0, start), .. part, .. bytes.AsSpan(end)];
        if (shape == FuzzShape.Safetensors)
            BinaryPrimitives.WriteInt64LittleEndian(whole, part.Length);
        return whole;
    }

    private static (int Start, int End) Part(FuzzShape shape, byte[] bytes, Random random)
    {
        if (shape == FuzzShape.Safetensors)
        {
            long length = bytes.Length < 8 ? -1 : BinaryPrimitives.ReadInt64LittleEndian(bytes);
            return length >= 0 && length <= bytes.Length - 8 ? (8, 8 + (int)length) : (0, 0);
        }

        if (shape == FuzzShape.Json || bytes.Length == 0)
            return (0, bytes.Length);
        int at = random.Next(bytes.Length);
        int start = Array.LastIndexOf(bytes, (byte)'\n', at) + 1;
        int end = Array.IndexOf(bytes, (byte)'\n', start);
        return (start, end < 0 ? bytes.Length : end);
    }

    private static byte[] Bytes(byte[] bytes, Random random, List<string> steps)
    {
        int at = random.Next(bytes.Length + 1), length = Math.Min(bytes.Length - at, 1 << random.Next(10));
        byte[] copy = [.. bytes];
        switch (random.Next(10))
        {
            case 0:
                steps.Add($"cut to {at} bytes");
                return bytes[..at];
            case 1:
                byte[] added = new byte[1 + random.Next(16)];
                random.NextBytes(added);
                steps.Add($"{added.Length} bytes put in at {at}");
                return [.. bytes[..at], .. added, .. bytes[at..]];
            case 2:
                steps.Add($"{length} bytes taken out at {at}");
                return [.. bytes[..at], .. bytes[(at + length)..]];
            case 3:
                int to = random.Next(bytes.Length + 1);
                steps.Add($"{length} bytes of {at} repeated at {to}");
                return [.. bytes[..to], .. bytes.AsSpan(at, length), .. bytes[to..]];
            case 4 when length > 0:
                copy.AsSpan(at, length).Fill((byte)(random.Next(2) * 255));
                steps.Add($"{length} bytes at {at} set to {copy[at]}");
                return copy;
            case 5 or 6 or 7 when bytes.Length >= 8:
                // Sizes and counts stand at the start of most formats.
                int width = 1 << random.Next(4), place = random.Next(2) == 0 ? random.Next(Math.Min(64, bytes.Length - 7)) : random.Next(bytes.Length - 7);
                long number = Numbers[random.Next(Numbers.Length)];
                Span<byte> value = stackalloc byte[8];
                BinaryPrimitives.WriteInt64LittleEndian(value, number);
                value[..width].CopyTo(copy.AsSpan(place));
                steps.Add($"{number} in {width} bytes at {place}");
                return copy;
            case 8 when random.Next(8) == 0:
                steps.Add("emptied");
                return [];
            default:
                if (bytes.Length == 0)
                    return copy;
                int flipped = random.Next(2) == 0 ? random.Next(Math.Min(64, bytes.Length)) : random.Next(bytes.Length);
                copy[flipped] ^= (byte)(1 << random.Next(8));
                steps.Add($"bit flipped at {flipped}");
                return copy;
        }
    }

    private sealed record Place(int NameStart, int Start, int End, JsonTokenType Kind);

    private static byte[]? Json(ReadOnlySpan<byte> json, Random random, List<string> steps)
    {
        if (Places(json) is not { Count: > 0 } places)
            return null;
        Place place = places[random.Next(places.Count)];
        bool member = place.NameStart < place.Start;
        byte[] value = json[place.Start..place.End].ToArray(), name = json[place.NameStart..place.Start].ToArray();
        string where = $"value at {place.Start.ToString(CultureInfo.InvariantCulture)}";
        byte[] written;
        switch (random.Next(member ? 8 : 6))
        {
            case 0:
                steps.Add($"{where} deleted");
                int end = place.End;
                int start = place.NameStart;
                if (end < json.Length && json[end] == ',')
                    end++;
                else if (start > 0 && json[start - 1] == ',')
                    start--;
                return [.. json[..start], .. json[end..]];
            case 1:
                steps.Add($"{where} twice");
                written = [.. name, .. value, (byte)',', .. name, .. value];
                break;
            case 2 when random.Next(4) == 0:
                int depth = new[] { 60, 70, 1000, 100000 }[random.Next(4)];
                steps.Add($"{where} nested {depth} deep");
                written = [.. name, .. Encoding.ASCII.GetBytes(new string('[', depth) + new string(']', depth))];
                break;
            case 3:
                Place other = places[random.Next(places.Count)];
                steps.Add($"{where} replaced by the one at {other.Start}");
                written = [.. name, .. json[other.Start..other.End]];
                break;
            case 6:
                string changed = new[] { "\"\\udc00\":", "\"\u00ff\":", "\"\":", "\"x\":" }[random.Next(4)];
                steps.Add($"{where} renamed");
                written = [.. Encoding.Latin1.GetBytes(changed), .. value];
                break;
            case 7 when place.Kind is JsonTokenType.String:
                string odd = new[] { "\\ud83d", "\\u0000", "\u00ff", "\\n", "../", new string('a', 5000) }[random.Next(6)];
                steps.Add($"{where} with odd text");
                written = [.. name, .. value[..^1], .. Encoding.Latin1.GetBytes(odd), (byte)'"'];
                break;
            default:
                string replaced = Values[random.Next(Values.Length)];
                steps.Add($"{where} = {replaced}");
                written = [.. name, .. Encoding.Latin1.GetBytes(replaced)];
                break;
        }

        return [.. json[..place.NameStart], .. written, .. json[place.End..]];
    }

    // Every value of the text, with where its name begins; null where it is no JSON (any more).
    private static List<Place>? Places(ReadOnlySpan<byte> json)
    {
        var places = new List<Place>();
        var open = new Stack<(int Name, int Start, JsonTokenType Kind)>();
        int name = -1;
        try
        {
            var reader = new Utf8JsonReader(json);
            while (reader.Read())
            {
                int start = (int)reader.TokenStartIndex, end = (int)reader.BytesConsumed;
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName:
                        name = start;
                        continue;
                    case JsonTokenType.StartObject or JsonTokenType.StartArray:
                        open.Push((name < 0 ? start : name, start, reader.TokenType));
                        break;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        (int first, int begin, JsonTokenType kind) = open.Pop();
                        places.Add(new Place(first, begin, end, kind));
                        break;
                    default:
                        places.Add(new Place(name < 0 ? start : name, start, end, reader.TokenType));
                        break;
                }

                name = -1;
            }

            return places;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // string.GetHashCode differs from process to process.
    private static int Stable(string text)
    {
        uint hash = 2166136261;
        foreach (char c in text)
            hash = (hash ^ c) * 16777619;
        return (int)hash;
    }
}
