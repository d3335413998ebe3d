// Functions of torch that take lists of tensors or have no counterpart on Tensor.
namespace TorchSharp;

public static partial class torch
{
    public static Tensor cat(IList<Tensor> tensors, long dim = 0) => Operators.Run("aten::cat", Arg.List(tensors), dim);
    public static Tensor concat(IList<Tensor> tensors, long dim = 0) => cat(tensors, dim);
    public static Tensor concatenate(IList<Tensor> tensors, long axis = 0) => cat(tensors, axis);
    public static Tensor stack(IEnumerable<Tensor> tensors, long dim = 0) => Operators.Run("aten::stack", Arg.List(tensors), dim);
    public static Tensor hstack(IEnumerable<Tensor> tensors) => Operators.Run("aten::hstack", Arg.List(tensors));
    public static Tensor hstack(IList<Tensor> tensors) => Operators.Run("aten::hstack", Arg.List(tensors));
    public static Tensor hstack(params Tensor[] tensors) => Operators.Run("aten::hstack", tensors);
    public static Tensor vstack(IList<Tensor> tensors) => Operators.Run("aten::vstack", Arg.List(tensors));
    public static Tensor einsum(string equation, params Tensor[] tensors) => Operators.Run("aten::einsum", equation, tensors);
    public static Tensor where(Tensor condition, Tensor x, Tensor y) => Operators.Run("aten::where.self", condition, x, y);
    public static Tensor bincount(Tensor input, Tensor? weights = null, long minlength = 0) => input.bincount(weights, minlength);
    public static Tensor[] meshgrid(IEnumerable<Tensor> tensors, string indexing = "ij") => Operators.RunList("aten::meshgrid.indexing", Arg.List(tensors), indexing);
    public static Tensor searchsorted(Tensor sorted_sequence, Tensor values, bool out_int32 = false, bool right = false, Tensor? sorter = null) =>
        Operators.Run("aten::searchsorted.Tensor", sorted_sequence, values, out_int32, right, Arg.None, sorter);
    public static Tensor tril_indices(long row, long col, long offset = 0, ScalarType dtype = ScalarType.Int64, Device? device = null) =>
        Operators.Run("aten::tril_indices", row, col, offset, dtype, Arg.None, device);
    public static Tensor triu_indices(long row, long col, long offset = 0, ScalarType dtype = ScalarType.Int64, Device? device = null) =>
        Operators.Run("aten::triu_indices", row, col, offset, dtype, Arg.None, device);
    public static long numel(Tensor input) => input.NumberOfElements;
    public static bool is_tensor(object obj) => obj is Tensor;
    public static bool is_floating_point(Tensor input) => input.is_floating_point();
    public static ScalarType get_default_dtype() => ScalarType.Float32;
    public static Device get_default_device() => CPU;
    public static unsafe string __version__ => System.Runtime.InteropServices.Marshal.PtrToStringUTF8((nint)Runtime.Native.lts_version()) ?? "";
}
