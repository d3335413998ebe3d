namespace LlmShearing.Masks;

/// <summary>Where the uniform numbers come from that turn logits into sampled masks.</summary>
public interface IMaskNoise
{
    /// <summary>Gives one number for each entry of a family.</summary>
    /// <param name="family">The family.</param>
    /// <param name="uniforms">Receives <see cref="MaskFamily.Count"/> numbers inside (0, 1), in the order of the entries.</param>
    void Fill(MaskFamily family, Span<double> uniforms);
}
