// What a worker does with a chunk: encodes the text of each record, puts BOS and EOS around it.
using System.Buffers;
using LlmShearing.Tokenizers;

namespace LlmShearing.Data.Corpus;

/// <summary>Encodes chunks; one instance a worker.</summary>
internal sealed class TextChunkEncoder(ITokenizer tokenizer, CorpusTokenizerOptions options)
{
    private readonly TextRecordReader _reader = new(options.TextField, options.InvalidText);

    /// <param name="chunk">Receives the ids and the counts.</param>
    /// <param name="path">The source file, for messages.</param>
    /// <param name="ids">Where to put the ids.</param>
    /// <param name="cancellationToken">Checked after each document.</param>
    public void Encode(TextChunk chunk, string path, ArrayBufferWriter<int> ids, CancellationToken cancellationToken)
    {
        chunk.Ids = ids;
        _reader.Read(
            chunk,
            path,
            (text, repaired) =>
            {
                chunk.RepairedDocuments += repaired ? 1 : 0;
                EncodeDocument(text, chunk, ids);
            },
            cancellationToken);
    }

    private void EncodeDocument(ReadOnlySpan<char> text, TextChunk chunk, ArrayBufferWriter<int> ids)
    {
        if (text.IsEmpty && !options.KeepEmptyDocuments)
        {
            chunk.EmptyDocuments++;
            return;
        }

        int before = ids.WrittenCount;
        if (options.AddBos)
            Put(ids, tokenizer.BosTokenId!.Value);
        int begin = ids.WrittenCount;
        if (!text.IsEmpty)
            tokenizer.EncodeTo(text, ids, addSpecialTokens: false);
        bool empty = ids.WrittenCount == begin;
        if (options.AddEos)
            Put(ids, tokenizer.EosTokenId!.Value);
        if (!empty)
        {
            chunk.Documents++;
            return;
        }

        chunk.EmptyDocuments++;
        if (!options.KeepEmptyDocuments)
            TakeBack(ids, before);   // text that the tokenizer's normalizer leaves nothing of
    }

    private static void Put(ArrayBufferWriter<int> ids, int id)
    {
        ids.GetSpan(1)[0] = id;
        ids.Advance(1);
    }

    private static void TakeBack(ArrayBufferWriter<int> ids, int count)
    {
        int[] kept = ids.WrittenSpan[..count].ToArray();
        ids.ResetWrittenCount();
        ids.Write(kept);
    }
}
