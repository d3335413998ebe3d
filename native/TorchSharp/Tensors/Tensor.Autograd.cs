// Gradients: flags, backward, torch.autograd, and the gradient modes of the calling thread.
using TorchSharp.Runtime;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public bool requires_grad
        {
            get => Alive(Native.lts_requires_grad(Handle)) != 0;
            set
            {
                Native.Check(Native.lts_set_requires_grad(Handle, value ? 1 : 0));
                GC.KeepAlive(this);
            }
        }

        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        public Tensor with_requires_grad(bool requires_grad = true) => requires_grad_(requires_grad);
        public bool is_leaf => Alive(Native.lts_is_leaf(Handle)) != 0;

        public void retain_grad()
        {
            Native.Check(Native.lts_retain_grad(Handle));
            GC.KeepAlive(this);
        }

        /// <summary>The gradient, which belongs to this tensor and not to a dispose scope; null when there is none.</summary>
        public Tensor? grad
        {
            get
            {
                nint g = Native.lts_grad(Handle);
                GC.KeepAlive(this);
                return g == 0 ? null : new Tensor(g);
            }

            set
            {
                Native.Check(Native.lts_set_grad(Handle, value is null ? 0 : value.Handle));
                GC.KeepAlive(this);
                GC.KeepAlive(value);
            }
        }

        public void backward() => autograd.backward(this, (IList<Tensor>?)null);

        public void backward(IList<Tensor>? grad_tensors = null, bool retain_graph = false, bool create_graph = false, IList<Tensor>? inputs = null) =>
            autograd.backward([this], grad_tensors!, retain_graph, create_graph, inputs!);

        public Tensor detach() => Operators.Run("aten::detach", this);
        public Tensor detach_() => Operators.InPlace("aten::detach_", this);
    }

    public static partial class autograd
    {
        public static void backward(Tensor tensor, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null) =>
            backward([tensor], grad_tensors, retain_graph, create_graph, inputs);

        public static void backward(Tensor tensor, Tensor grad_tensor, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null) =>
            backward([tensor], [grad_tensor], retain_graph, create_graph, inputs);

        public static unsafe void backward(IList<Tensor> tensors, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor>? inputs = null)
        {
            nint[] roots = Handles(tensors), grads = Handles(grad_tensors), leaves = Handles(inputs);
            if (grads.Length > 0 && grads.Length != roots.Length)
                throw new ArgumentException($"{roots.Length} tensors but {grads.Length} gradients were given.", nameof(grad_tensors));
            fixed (nint* r = roots, g = grads, i = leaves)
            {
                Native.Check(Native.lts_backward(r, roots.Length, g, i, leaves.Length, Flag(retain_graph), create_graph ? 1 : 0));
            }

            GC.KeepAlive(tensors);
            GC.KeepAlive(grad_tensors);
            GC.KeepAlive(inputs);
        }

        /// <summary>Gradients of the outputs with respect to the inputs, in the order of the inputs.</summary>
        public static unsafe IList<Tensor> grad(IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor>? grad_outputs = null, bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            nint[] o = Handles(outputs), i = Handles(inputs), g = Handles(grad_outputs), results = new nint[i.Length];
            fixed (nint* po = o, pi = i, pg = g, pr = results)
            {
                Native.Check(Native.lts_autograd_grad(po, o.Length, pi, i.Length, pg, retain_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0, pr));
            }

            GC.KeepAlive(outputs);
            GC.KeepAlive(inputs);
            GC.KeepAlive(grad_outputs);
            return Array.ConvertAll(results, h => h == 0 ? null! : new Tensor(h));
        }

        private static nint[] Handles(IList<Tensor>? tensors) => tensors is null ? [] : tensors.Select(t => t.Handle).ToArray();
        private static int Flag(bool? value) => value is null ? -1 : value.Value ? 1 : 0;
    }

    public static IDisposable no_grad() => new GradMode(false);
    public static IDisposable enable_grad(bool enabled = true) => new GradMode(enabled);
    public static IDisposable set_grad_enabled(bool mode = true) => new GradMode(mode);
    public static bool is_grad_enabled() => Native.lts_grad_mode() != 0;
    public static IDisposable inference_mode(bool mode = true) => new InferenceGuard(mode);
    public static bool is_inference_mode_enabled() => Native.lts_inference_mode() != 0;

    // Both are per thread: they must be disposed on the thread that made them.
    private sealed class GradMode : IDisposable
    {
        private readonly bool before = is_grad_enabled();
        private bool done;

        internal GradMode(bool enabled) => Native.lts_set_grad_mode(enabled ? 1 : 0);

        public void Dispose()
        {
            if (done) return;
            done = true;
            Native.lts_set_grad_mode(before ? 1 : 0);
        }
    }

    private sealed class InferenceGuard(bool mode) : IDisposable
    {
        private nint guard = Native.lts_inference_mode_enter(mode ? 1 : 0);

        public void Dispose()
        {
            nint g = Interlocked.Exchange(ref guard, 0);
            if (g != 0) Native.lts_inference_mode_leave(g);
        }
    }
}
