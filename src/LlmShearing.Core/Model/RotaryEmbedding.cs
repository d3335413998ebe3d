// Rotary position embedding, rotate-half convention: channel i turns with channel i + headDim/2.
// Tables are computed per pass from the configuration and held in no module field.
using static TorchSharp.torch;

namespace LlmShearing.Model;

/// <summary>Rotary frequencies and tables.</summary>
public static class RotaryEmbedding
{
    /// <summary>Inverse frequencies in radians per token (formulas: transformers modeling_rope_utils).</summary>
    /// <param name="config">Model configuration.</param>
    /// <param name="sequenceLength">Largest position + 1 in tokens; matters for dynamic scaling only.</param>
    /// <returns>headDim / 2 values, computed in float32 as the reference does.</returns>
    public static float[] InverseFrequencies(LlamaConfig config, long sequenceLength)
    {
        ArgumentNullException.ThrowIfNull(config);
        int dim = config.Shape.HeadDim;
        double theta = config.RopeTheta;
        RopeScaling scaling = config.RopeScaling;
        if (scaling.Type == RopeType.Dynamic && sequenceLength > config.MaxPositionEmbeddings)
        {
            double ratio = (scaling.Factor * sequenceLength / config.MaxPositionEmbeddings) - (scaling.Factor - 1);
            theta *= Math.Pow(ratio, dim / (double)(dim - 2));
        }

        float[] inverse = new float[dim / 2];
        for (int i = 0; i < inverse.Length; i++)
        {
            float frequency = 1f / MathF.Pow((float)theta, 2f * i / dim);
            inverse[i] = scaling.Type switch
            {
                RopeType.Linear => frequency / (float)scaling.Factor,
                RopeType.Llama3 => Llama3(frequency, scaling),
                _ => frequency,
            };
        }

        return inverse;
    }

    /// <summary>Tables of cosines and sines.</summary>
    /// <param name="inverse">Inverse frequencies [hd/2].</param>
    /// <param name="positions">Positions [T] or [B, T], int64.</param>
    /// <param name="dtype">Type of the activations; computed in float32 and cast.</param>
    /// <returns>cos and sin, [1, 1, T, hd/2] or [B, 1, T, hd/2].</returns>
    internal static (Tensor Cos, Tensor Sin) Tables(float[] inverse, Tensor positions, ScalarType dtype)
    {
        Tensor frequencies = tensor(inverse, device: positions.device);                              // [hd/2]
        Tensor angles = positions.to(ScalarType.Float32).unsqueeze(-1) * frequencies;                // [(B,) T, hd/2]
        angles = angles.dim() == 2 ? angles.unsqueeze(0).unsqueeze(0) : angles.unsqueeze(1);         // [B|1, 1, T, hd/2]
        return (angles.cos().to(dtype), angles.sin().to(dtype));
    }

    /// <summary>Turns queries or keys.</summary>
    /// <param name="x">[B, N, T, hd].</param>
    /// <param name="cos">[B|1, 1, T, hd/2].</param>
    /// <param name="sin">[B|1, 1, T, hd/2].</param>
    /// <returns>[B, N, T, hd], contiguous.</returns>
    internal static Tensor Rotate(Tensor x, Tensor cos, Tensor sin)
    {
        long half = x.shape[^1] / 2;
        Tensor first = x.narrow(-1, 0, half), second = x.narrow(-1, half, half);                     // [B, N, T, hd/2]
        return cat([(first * cos) - (second * sin), (second * cos) + (first * sin)], -1);
    }

    private static float Llama3(float frequency, RopeScaling s)
    {
        double wavelength = 2 * Math.PI / frequency, context = s.OriginalMaxPositionEmbeddings;
        if (wavelength < context / s.HighFrequencyFactor)
            return frequency;
        if (wavelength > context / s.LowFrequencyFactor)
            return (float)(frequency / s.Factor);
        double smooth = ((context / wavelength) - s.LowFrequencyFactor) / (s.HighFrequencyFactor - s.LowFrequencyFactor);
        return (float)(((1 - smooth) * frequency / s.Factor) + (smooth * frequency));
    }
}
