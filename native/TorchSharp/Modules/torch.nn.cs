// torch.nn: factories of containers, and utilities over parameters.
using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public static Parameter Parameter(Tensor data, bool requires_grad = true) => new(data, requires_grad);
        public static ModuleList<T> ModuleList<T>(params T[] modules) where T : Module => new(modules);
        public static ModuleList<Module> ModuleList(params Module[] modules) => new(modules);

        public static partial class utils
        {
            /// <summary>Scales the gradients so that their common norm is at most <paramref name="max_norm"/>; returns the norm before.</summary>
            public static double clip_grad_norm_(IEnumerable<Parameter> tensors, double max_norm, double norm_type = 2)
            {
                using DisposeScope scope = NewDisposeScope();
                using IDisposable guard = no_grad();
                Tensor[] grads = tensors.Select(p => p.grad).OfType<Tensor>().ToArray();
                if (grads.Length == 0) return 0;
                Tensor[] norms = grads.Select(g => g.norm((float)norm_type).to_type(ScalarType.Float32)).ToArray();
                double total = double.IsPositiveInfinity(norm_type) ? torch.stack(norms).max().ToDouble() : torch.stack(norms).norm((float)norm_type).ToDouble();
                double scale = max_norm / (total + 1e-6);
                if (scale < 1)
                {
                    foreach (Tensor grad in grads) grad.mul_(scale.ToScalar());
                }

                return total;
            }

            public static void clip_grad_value_(IEnumerable<Parameter> tensors, double clip_value)
            {
                using IDisposable guard = no_grad();
                foreach (Parameter parameter in tensors)
                {
                    using Tensor? grad = parameter.grad;
                    grad?.clamp_((-clip_value).ToScalar(), clip_value.ToScalar());
                }
            }
        }
    }
}
