// Members whose public signature is no direct match of one operator: optional dimensions, rounding modes, out tensors.
namespace TorchSharp;

public static partial class torch
{
    public enum RoundingMode { None = 0, trunc = 1, floor = 2 }

    public partial class Tensor
    {
        public Tensor div(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => rounding_mode == RoundingMode.None
            ? Operators.Run("aten::div.Tensor", this, target) : Operators.Run("aten::div.Tensor_mode", this, target, Mode(rounding_mode));
        public Tensor div(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => rounding_mode == RoundingMode.None
            ? Operators.Run("aten::div.Scalar", this, target) : Operators.Run("aten::div.Scalar_mode", this, target, Mode(rounding_mode));
        public Tensor div_(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => rounding_mode == RoundingMode.None
            ? Operators.InPlace("aten::div_.Tensor", this, target) : Operators.InPlace("aten::div_.Tensor_mode", this, target, Mode(rounding_mode));
        public Tensor div_(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => rounding_mode == RoundingMode.None
            ? Operators.InPlace("aten::div_.Scalar", this, target) : Operators.InPlace("aten::div_.Scalar_mode", this, target, Mode(rounding_mode));
        public Tensor divide(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => div(target, rounding_mode);
        public Tensor divide(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => div(target, rounding_mode);
        public Tensor divide_(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => div_(target, rounding_mode);
        public Tensor divide_(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => div_(target, rounding_mode);

        public Tensor matmul(Tensor target) => Operators.Run("aten::matmul", this, target);
        public Tensor where(Tensor condition, Tensor y) => Operators.Run("aten::where.self", condition, this, y);

        public Tensor squeeze(long? dim = null) => dim is { } d ? Operators.Run("aten::squeeze.dim", this, d) : Operators.Run("aten::squeeze", this);
        public Tensor squeeze_(long? dim = null) => dim is { } d ? Operators.InPlace("aten::squeeze_.dim", this, d) : Operators.InPlace("aten::squeeze_", this);
        public Tensor permute(IEnumerable<long> permutation) => permute(permutation.ToArray());
        public Tensor roll(long shifts, long? dims = null) =>
            Operators.Run("aten::roll", this, Arg.ListOf(shifts), dims is { } d ? Arg.ListOf(d) : Array.Empty<long>());

        public Tensor[] chunk(long chunks, long dim = 0) => Operators.RunList("aten::chunk", this, chunks, dim);
        public Tensor[] split(long size, int dim = 0) => Operators.RunList("aten::split.Tensor", this, size, dim);
        public Tensor[] split(long[] sizes, long dim = 0) => Operators.RunList("aten::split_with_sizes", this, sizes, dim);
        public Tensor[] split(ReadOnlySpan<long> sizes, long dim = 0) => Operators.RunList("aten::split_with_sizes", this, sizes, dim);
        public Tensor[] split(params long[] sizes) => Operators.RunList("aten::split_with_sizes", this, sizes, 0);
        public Tensor[] tensor_split(long size, long dim = 0) => Operators.RunList("aten::tensor_split.sections", this, size, dim);
        public Tensor[] tensor_split(long[] sizes, long dim = 0) => Operators.RunList("aten::tensor_split.indices", this, sizes, dim);
        public Tensor[] unbind(long dimension = 0) => Operators.RunList("aten::unbind.int", this, dimension);

        public Tensor sum(long dim0, long dim1, bool keepdim = false, ScalarType? type = null) => sum([dim0, dim1], keepdim, type);
        public Tensor sum(long dim0, long dim1, long dim2, bool keepdim = false, ScalarType? type = null) => sum([dim0, dim1, dim2], keepdim, type);
        public Tensor count_nonzero(long[]? dims = null) => dims is null
            ? Operators.Run("aten::count_nonzero", this) : Operators.Run("aten::count_nonzero.dim_IntList", this, dims);
        public Tensor amax(long[] dims, bool keepdim = false, Tensor? @out = null) => Into(@out, Operators.Run("aten::amax", this, dims, keepdim));
        public Tensor amax(ReadOnlySpan<long> dims, bool keepdim = false, Tensor? @out = null) => Into(@out, Operators.Run("aten::amax", this, dims, keepdim));
        public Tensor amin(long[] dims, bool keepdim = false, Tensor? @out = null) => Into(@out, Operators.Run("aten::amin", this, dims, keepdim));
        public Tensor amin(ReadOnlySpan<long> dims, bool keepdim = false, Tensor? @out = null) => Into(@out, Operators.Run("aten::amin", this, dims, keepdim));
        public Tensor norm(int dim, bool keepdim = false, float p = 2f) => Operators.Run("aten::norm.ScalarOpt_dim", this, p, Arg.ListOf(dim), keepdim);
        public Tensor nanmean(int? dim = null, bool keepdim = false, ScalarType? dtype = null) =>
            Operators.Run("aten::nanmean", this, dim is { } d ? Arg.ListOf(d) : Arg.None, keepdim, dtype);
        public Tensor histc(long bins = 100, long min = 0, long max = 0) => Operators.Run("aten::histc", this, bins, min, max);

        public Tensor std(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            As(type, Operators.Run("aten::std.dim", this, Arg.ListOf(dim), unbiased, keepdim));
        public Tensor std(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            As(type, Operators.Run("aten::std.dim", this, dimensions, unbiased, keepdim));
        public Tensor std(ReadOnlySpan<long> dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            As(type, Operators.Run("aten::std.dim", this, dimensions, unbiased, keepdim));
        public Tensor var(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            As(type, Operators.Run("aten::var.dim", this, Arg.ListOf(dim), unbiased, keepdim));
        public Tensor var(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            As(type, Operators.Run("aten::var.dim", this, dimensions, unbiased, keepdim));
        public Tensor var(ReadOnlySpan<long> dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            As(type, Operators.Run("aten::var.dim", this, dimensions, unbiased, keepdim));

        public (Tensor Values, Tensor Indices) sort(long dim = -1, bool descending = false, bool stable = false) =>
            Operators.Run2("aten::sort.stable", this, stable, dim, descending);

        public (Tensor output, Tensor? inverse_indices, Tensor? counts) unique(bool sorted = true, bool return_inverse = false, bool return_counts = false, int? dim = null) =>
            Wanted(return_inverse, return_counts, dim is { } d
                ? Operators.Run3("aten::unique_dim", this, d, sorted, return_inverse, return_counts)
                : Operators.Run3("aten::_unique2", this, sorted, return_inverse, return_counts));

        private static (Tensor, Tensor?, Tensor?) Wanted(bool inverse, bool counts, (Tensor Output, Tensor Inverse, Tensor Counts) all)
        {
            if (!inverse) all.Inverse.Dispose();
            if (!counts) all.Counts.Dispose();
            return (all.Output, inverse ? all.Inverse : null, counts ? all.Counts : null);
        }

        private static string Mode(RoundingMode mode) => mode == RoundingMode.trunc ? "trunc" : "floor";

        private static Tensor Into(Tensor? target, Tensor result)
        {
            if (target is null) return result;
            target.copy_(result);
            result.Dispose();
            return target;
        }

        private static Tensor As(ScalarType? type, Tensor result)
        {
            if (type is not { } wanted || result.dtype == wanted) return result;
            using (result) return result.to_type(wanted);
        }
    }
}
