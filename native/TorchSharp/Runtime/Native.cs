// The C ABI of the bridge (native/bridge/src), one declaration per entry. Everything is blittable: a call costs a few
// nanoseconds. Entries that only read metadata skip the GC transition.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[module: SkipLocalsInit]

namespace TorchSharp.Runtime;

/// <summary>One argument or result of an operator; the layout is the bridge's <c>Slot</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Slot
{
    public SlotKind Kind;
    public int Length;
    public long Value;
}

internal enum SlotKind
{
    None = 0, Tensor = 1, Int = 2, Double = 3, Bool = 4, String = 5, IntList = 6, TensorList = 7,
    OptionalTensorList = 8, DoubleList = 9, Device = 10, Generator = 11, BoolList = 12, Default = 13,
}

internal static unsafe partial class Native
{
    private const string Bridge = "LlmShearingTorch";

    [DllImport(Bridge)] internal static extern nint lts_find(byte* name, byte* overload);
    [DllImport(Bridge)] internal static extern int lts_call(nint op, Slot* arguments, int count, Slot* results, int capacity);
    [DllImport(Bridge)] internal static extern void lts_free(nint memory);

    [DllImport(Bridge), SuppressGCTransition] internal static extern void lts_retain(nint tensor);
    [DllImport(Bridge)] internal static extern void lts_release(nint tensor);
    [DllImport(Bridge), SuppressGCTransition] internal static extern int lts_dtype(nint tensor);
    [DllImport(Bridge), SuppressGCTransition] internal static extern int lts_element_size(nint tensor);
    [DllImport(Bridge), SuppressGCTransition] internal static extern long lts_dim(nint tensor);
    [DllImport(Bridge), SuppressGCTransition] internal static extern long lts_numel(nint tensor);
    [DllImport(Bridge), SuppressGCTransition] internal static extern int lts_is_contiguous(nint tensor);
    [DllImport(Bridge), SuppressGCTransition] internal static extern long lts_storage_offset(nint tensor);
    [DllImport(Bridge), SuppressGCTransition] internal static extern void lts_sizes(nint tensor, long* sizes);
    [DllImport(Bridge), SuppressGCTransition] internal static extern void lts_strides(nint tensor, long* strides);
    [DllImport(Bridge), SuppressGCTransition] internal static extern void lts_device(nint tensor, int* type, int* index);
    [DllImport(Bridge)] internal static extern nint lts_data(nint tensor);
    [DllImport(Bridge)] internal static extern nint lts_from_blob(
        nint data, long* sizes, int dims, int dtype, delegate* unmanaged<nint, void> deleter, nint context);

    [DllImport(Bridge)] internal static extern int lts_requires_grad(nint tensor);
    [DllImport(Bridge)] internal static extern int lts_set_requires_grad(nint tensor, int value);
    [DllImport(Bridge)] internal static extern int lts_is_leaf(nint tensor);
    [DllImport(Bridge)] internal static extern int lts_retain_grad(nint tensor);
    [DllImport(Bridge)] internal static extern nint lts_grad(nint tensor);
    [DllImport(Bridge)] internal static extern int lts_set_grad(nint tensor, nint grad);
    [DllImport(Bridge)] internal static extern int lts_backward(
        nint* roots, int rootCount, nint* grads, nint* inputs, int inputCount, int retainGraph, int createGraph);
    [DllImport(Bridge)] internal static extern int lts_autograd_grad(
        nint* outputs, int outputCount, nint* inputs, int inputCount, nint* grads,
        int retainGraph, int createGraph, int allowUnused, nint* results);
    [DllImport(Bridge)] internal static extern int lts_function_wrap(
        byte* name, nint* inputs, int inputCount, nint* constant, int constantCount, nint* dirty, int dirtyCount, nint* saved, int savedCount,
        nint* outputs, int outputCount, delegate* unmanaged<nint, nint, nint*, int, nint*, int, byte*, int, int> backward,
        delegate* unmanaged<nint, void> release, nint context, nint* wrapped);
    [DllImport(Bridge)] internal static extern int lts_function_saved(nint node, nint* results, int capacity);
    [DllImport(Bridge), SuppressGCTransition] internal static extern int lts_grad_mode();
    [DllImport(Bridge), SuppressGCTransition] internal static extern void lts_set_grad_mode(int enabled);
    [DllImport(Bridge)] internal static extern int lts_inference_mode();
    [DllImport(Bridge)] internal static extern nint lts_inference_mode_enter(int enabled);
    [DllImport(Bridge)] internal static extern void lts_inference_mode_leave(nint guard);

    [DllImport(Bridge)] internal static extern byte* lts_last_error();
    [DllImport(Bridge)] internal static extern void lts_clear_error();
    [DllImport(Bridge)] internal static extern byte* lts_version();
    [DllImport(Bridge)] internal static extern byte* lts_blas_core();
    [DllImport(Bridge)] internal static extern void lts_set_num_threads(int count);
    [DllImport(Bridge)] internal static extern void lts_trim_cache();
    [DllImport(Bridge)] internal static extern int lts_get_num_threads();
    [DllImport(Bridge)] internal static extern int lts_set_num_interop_threads(int count);
    [DllImport(Bridge)] internal static extern int lts_get_num_interop_threads();

    [DllImport(Bridge)] internal static extern nint lts_generator_default();
    [DllImport(Bridge)] internal static extern nint lts_generator_new(ulong seed);
    [DllImport(Bridge)] internal static extern void lts_generator_release(nint generator);
    [DllImport(Bridge)] internal static extern int lts_generator_manual_seed(nint generator, ulong seed);
    [DllImport(Bridge)] internal static extern ulong lts_generator_initial_seed(nint generator);
    [DllImport(Bridge)] internal static extern ulong lts_generator_seed(nint generator);
    [DllImport(Bridge)] internal static extern nint lts_generator_get_state(nint generator);
    [DllImport(Bridge)] internal static extern int lts_generator_set_state(nint generator, nint state);

    /// <summary>Throws the text of the last native failure on this thread.</summary>
    internal static void Throw()
    {
        string text = Marshal.PtrToStringUTF8((nint)lts_last_error()) ?? "";
        lts_clear_error();
        throw new ExternalException(text.Length == 0 ? "libtorch failed without a message." : text);
    }

    internal static void Check(int status)
    {
        if (status < 0) Throw();
    }

    internal static nint CheckHandle(nint handle)
    {
        if (handle == 0) Throw();
        return handle;
    }
}
