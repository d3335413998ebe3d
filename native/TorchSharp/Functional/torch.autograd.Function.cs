// torch.autograd.Function: operators whose forward and backward passes are written in .NET.
using System.Runtime.InteropServices;
using System.Text;
using TorchSharp.Runtime;

namespace TorchSharp;

public static partial class torch
{
    public static partial class autograd
    {
        /// <summary>A function of tensors and other values; one shared instance per type.</summary>
        public abstract class Function<T> where T : Function<T>, new()
        {
            internal static readonly T Instance = new();

            public abstract string Name { get; }

            /// <summary>Runs forward without a graph and ties its outputs to the tensors among the arguments.</summary>
            public static List<Tensor> apply_internal(params object?[] vars)
            {
                bool[] given = [.. vars.Select(v => v is Tensor { IsInvalid: false })];
                Tensor[] inputs = [.. vars.OfType<Tensor>().Where(t => !t.IsInvalid)];
                var context = new AutogradContext();
                List<Tensor> outputs;
                bool graph = is_grad_enabled() && inputs.Any(i => i.requires_grad);
                using (no_grad())
                    outputs = Instance.Forward(context, vars!);
                return graph ? FunctionCall.Wrap(Instance.Name, context, inputs, outputs, g => Gradients(context, given, g)) : outputs;
            }

            internal abstract List<Tensor> Forward(AutogradContext ctx, object[] vars);

            internal abstract List<Tensor> Backward(AutogradContext ctx, List<Tensor> gradients);

            // One gradient for each tensor among the arguments.
            private static List<Tensor?> Gradients(AutogradContext context, bool[] given, List<Tensor> incoming)
            {
                List<Tensor> all = Instance.Backward(context, incoming);
                if (all.Count < given.Length || all.Skip(given.Length).Any(t => t is not null))
                    throw new InvalidOperationException($"backward gave {all.Count} gradients for {given.Length} arguments.");
                for (int i = 0; i < given.Length; i++)
                    if (!given[i] && all[i] is not null)
                        throw new InvalidOperationException($"backward gave a gradient for argument {i + 1}, which is no tensor.");
                return [.. all.Take(given.Length).Where((_, i) => given[i])];
            }
        }

        public abstract class SingleTensorFunction<T> : Function<T> where T : SingleTensorFunction<T>, new()
        {
            public abstract Tensor forward(AutogradContext ctx, params object[] vars);
            public abstract List<Tensor> backward(AutogradContext ctx, Tensor grad_output);
            public static Tensor apply(params object?[] vars) => apply_internal(vars)[0];
            internal sealed override List<Tensor> Forward(AutogradContext ctx, object[] vars) => [forward(ctx, vars)];
            internal sealed override List<Tensor> Backward(AutogradContext ctx, List<Tensor> gradients) => backward(ctx, gradients[0]);
        }

        public abstract class MultiTensorFunction<T> : Function<T> where T : MultiTensorFunction<T>, new()
        {
            public abstract List<Tensor> forward(AutogradContext ctx, params object[] vars);
            public abstract List<Tensor> backward(AutogradContext ctx, List<Tensor> grad_outputs);
            public static List<Tensor> apply(params object?[] vars) => apply_internal(vars);
            internal sealed override List<Tensor> Forward(AutogradContext ctx, object[] vars) => forward(ctx, vars);
            internal sealed override List<Tensor> Backward(AutogradContext ctx, List<Tensor> gradients) => backward(ctx, gradients);
        }

        /// <summary>What forward leaves for backward.</summary>
        public class AutogradContext : IDisposable
        {
            private readonly Dictionary<string, object?> data = [];

            internal AutogradContext() { }

            internal List<Tensor> Saved { get; set; } = [];
            internal List<Tensor> Dirty { get; private set; } = [];
            internal List<Tensor> Constant { get; private set; } = [];
            internal int SavedCount { get; set; }

            /// <summary>The graph node; zero outside of backward.</summary>
            internal nint Node { get; set; }

            public bool MaterializeGrads { get; private set; } = true;

            public void save_for_backward(List<Tensor> tensors) => Saved = tensors;
            public void mark_dirty(List<Tensor> tensors) => Dirty = [.. tensors];
            public void mark_non_differentiable(List<Tensor> tensors) => Constant = [.. tensors];
            public void set_materialize_grads(bool value) => MaterializeGrads = value;
            public void save_data(string key, object? value) => data[key] = value;
            public object? get_data(string key) => data.GetValueOrDefault(key);

            public unsafe List<Tensor> get_saved_variables()
            {
                if (Node == 0) throw new InvalidOperationException("Saved tensors are there in backward only.");
                nint[] handles = new nint[SavedCount];
                fixed (nint* h = handles)
                    Native.Check(Native.lts_function_saved(Node, h, handles.Length));
                return [.. handles.Select(h => h == 0 ? null! : new Tensor(h))];
            }

            public void Dispose()
            {
                GC.SuppressFinalize(this);
                Dispose(true);
            }

            protected virtual void Dispose(bool disposing) => data.Clear();
        }

        /// <summary>One node of a graph: kept alive by a GCHandle that libtorch lets go of with the node.</summary>
        private sealed unsafe class FunctionCall(AutogradContext context, (long[] Shape, ScalarType Type, Device Device)[] outputs, Func<List<Tensor>, List<Tensor?>> backward)
        {
            internal static List<Tensor> Wrap(string name, AutogradContext context, Tensor[] inputs, List<Tensor> outputs, Func<List<Tensor>, List<Tensor?>> backward)
            {
                context.SavedCount = context.Saved.Count;
                var call = new FunctionCall(context, [.. outputs.Select(o => (o.shape, o.dtype, o.device))], backward);
                GCHandle self = GCHandle.Alloc(call);
                nint[] i = Handles(inputs), c = Handles(context.Constant), d = Handles(context.Dirty), o = Handles(outputs), wrapped = new nint[outputs.Count];
                nint[] s = [.. context.Saved.Select(t => t is null ? 0 : t.Handle)];
                try
                {
                    fixed (byte* text = Encoding.UTF8.GetBytes(name + "\0"))
                    fixed (nint* pi = i, pc = c, pd = d, ps = s, po = o, pw = wrapped)
                    {
                        Native.Check(Native.lts_function_wrap(
                            text, pi, i.Length, pc, c.Length, pd, d.Length, ps, s.Length, po, o.Length, &Backward, &Release, GCHandle.ToIntPtr(self), pw));
                    }
                }
                catch
                {
                    self.Free();
                    throw;
                }

                GC.KeepAlive(inputs);
                GC.KeepAlive(outputs);
                GC.KeepAlive(context.Saved);
                context.Saved = [];
                foreach (Tensor output in outputs.Except(inputs)) output.Dispose();   // the wrapped ones hold the same tensors
                return [.. wrapped.Select(h => new Tensor(h))];
            }

            [UnmanagedCallersOnly]
            private static void Release(nint context) => GCHandle.FromIntPtr(context).Free();

            // Gradients are owned here on the way in and given away on the way out. No exception may reach libtorch: its text does.
            [UnmanagedCallersOnly]
            private static int Backward(nint context, nint node, nint* gradients, int count, nint* results, int capacity, byte* message, int bytes)
            {
                try
                {
                    ((FunctionCall)GCHandle.FromIntPtr(context).Target!).Run(node, new(gradients, count), new(results, capacity));
                    return 0;
                }
                catch (Exception e)
                {
                    Encoding.UTF8.GetEncoder().Convert(e.Message, new Span<byte>(message, bytes - 1), true, out _, out _, out _);
                    return -1;
                }
            }

            private void Run(nint node, ReadOnlySpan<nint> gradients, Span<nint> results)
            {
                using DisposeScope scope = NewDisposeScope();
                var incoming = new List<Tensor>();
                for (int i = 0; i < gradients.Length; i++)
                    incoming.Add(gradients[i] != 0 ? new Tensor(gradients[i]) : context.MaterializeGrads ? zeros(outputs[i].Shape, outputs[i].Type, outputs[i].Device) : null!);
                context.Node = node;
                try
                {
                    List<Tensor?> given = backward(incoming);
                    for (int i = 0; i < results.Length; i++)
                    {
                        if (given[i] is not { } tensor) continue;
                        Native.lts_retain(tensor.Handle);
                        results[i] = tensor.Handle;
                        GC.KeepAlive(tensor);
                    }
                }
                finally
                {
                    context.Node = 0;
                }
            }
        }
    }
}
