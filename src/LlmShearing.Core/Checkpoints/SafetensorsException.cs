namespace LlmShearing.Checkpoints;

/// <summary>What is wrong with a safetensors file. The names are those of the format's reference implementation.</summary>
public enum SafetensorsError
{
    /// <summary>The file is shorter than the 8 bytes of the header length.</summary>
    HeaderTooSmall,

    /// <summary>The header claims more than 100,000,000 bytes.</summary>
    HeaderTooLarge,

    /// <summary>The header claims more bytes than the file has.</summary>
    InvalidHeaderLength,

    /// <summary>The header is not UTF-8.</summary>
    InvalidHeader,

    /// <summary>The header is not the JSON object that the format asks for; duplicate keys, unknown fields and empty names are refused too.</summary>
    InvalidHeaderDeserialization,

    /// <summary>A tensor does not begin where the one before it ends, or ends before it begins.</summary>
    InvalidOffset,

    /// <summary>A shape has more elements than 64 bits can count, or a dimension above 2^63 - 1.</summary>
    ValidationOverflow,

    /// <summary>A tensor of a type below 8 bits does not fill whole bytes.</summary>
    MisalignedSlice,

    /// <summary>Shape and type of a tensor do not make the length of its range.</summary>
    TensorInvalidInfo,

    /// <summary>The tensors do not cover the file exactly: it is truncated or has trailing bytes.</summary>
    MetadataIncompleteBuffer,
}

/// <summary>A safetensors file that breaks the format.</summary>
public sealed class SafetensorsException : CheckpointException
{
    /// <summary>Creates the error.</summary>
    /// <param name="error">The rule that is broken.</param>
    /// <param name="message">What is wrong, in plain words; names the file and the tensor.</param>
    /// <param name="path">The file.</param>
    /// <param name="innerException">The cause, when there is one.</param>
    public SafetensorsException(SafetensorsError error, string message, string? path = null, Exception? innerException = null)
        : base(message, path, innerException) => Error = error;

    /// <summary>The rule that is broken.</summary>
    public SafetensorsError Error { get; }
}
