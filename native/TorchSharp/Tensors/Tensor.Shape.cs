// Views and rearrangements. One line a member: the public signature, and the operator it calls (native/README.md says how to add one).
namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor alias() => Operators.Run("aten::alias", this);
        public Tensor as_strided(long[] size, long[] strides, long storageOffset = 0) => Operators.Run("aten::as_strided", this, size, strides, storageOffset);
        public Tensor atleast_1d() => Operators.Run("aten::atleast_1d", this);
        public Tensor atleast_2d() => Operators.Run("aten::atleast_2d", this);
        public Tensor atleast_3d() => Operators.Run("aten::atleast_3d", this);
        public Tensor broadcast_to(params long[] shape) => Operators.Run("aten::broadcast_to", this, shape);
        public Tensor clone() => Operators.Run("aten::clone", this);
        public Tensor contiguous() => Operators.Run("aten::contiguous", this);
        public Tensor diag(long diagonal = 0) => Operators.Run("aten::diag", this, diagonal);
        public Tensor diag_embed(long offset = 0, long dim1 = -2, long dim2 = -1) => Operators.Run("aten::diag_embed", this, offset, dim1, dim2);
        public Tensor diagflat(long offset = 0) => Operators.Run("aten::diagflat", this, offset);
        public Tensor diagonal(long offset = 0, long dim1 = 0, long dim2 = 1) => Operators.Run("aten::diagonal", this, offset, dim1, dim2);
        public Tensor expand(params long[] sizes) => Operators.Run("aten::expand", this, sizes);
        public Tensor expand(long[] sizes, bool isImplicit = false) => Operators.Run("aten::expand", this, sizes, isImplicit);
        public Tensor expand(ReadOnlySpan<long> sizes, bool isImplicit = false) => Operators.Run("aten::expand", this, sizes, isImplicit);
        public Tensor expand_as(Tensor other) => Operators.Run("aten::expand_as", this, other);
        public Tensor flatten(long start_dim = 0, long end_dim = -1) => Operators.Run("aten::flatten.using_ints", this, start_dim, end_dim);
        public Tensor flip(params long[] dims) => Operators.Run("aten::flip", this, dims);
        public Tensor fliplr() => Operators.Run("aten::fliplr", this);
        public Tensor flipud() => Operators.Run("aten::flipud", this);
        public Tensor moveaxis(long[] source, long[] destination) => Operators.Run("aten::moveaxis.intlist", this, source, destination);
        public Tensor movedim(long[] source, long[] destination) => Operators.Run("aten::movedim.intlist", this, source, destination);
        public Tensor narrow(long dim, long start, long length) => Operators.Run("aten::narrow", this, dim, start, length);
        public Tensor permute(params long[] permutation) => Operators.Run("aten::permute", this, permutation);
        public Tensor ravel() => Operators.Run("aten::ravel", this);
        public Tensor repeat(params long[] sizes) => Operators.Run("aten::repeat", this, sizes);
        public Tensor repeat_interleave(Tensor repeats, long? dim = null, long? output_size = null) => Operators.Run("aten::repeat_interleave.self_Tensor", this, repeats, dim, output_size);
        public Tensor repeat_interleave(long repeats, long? dim = null, long? output_size = null) => Operators.Run("aten::repeat_interleave.self_int", this, repeats, dim, output_size);
        public Tensor reshape(params long[] shape) => Operators.Run("aten::reshape", this, shape);
        public Tensor roll(long[] shifts) => Operators.Run("aten::roll", this, shifts);
        public Tensor roll(long[] shifts, long[] dims) => Operators.Run("aten::roll", this, shifts, dims);
        public Tensor roll(ReadOnlySpan<long> shifts, ReadOnlySpan<long> dims = default) => Operators.Run("aten::roll", this, shifts, dims);
        public Tensor select(long dim, long index) => Operators.Run("aten::select.int", this, dim, index);
        public Tensor slice(long dim, long start, long finish, long step) => Operators.Run("aten::slice.Tensor", this, dim, start, finish, step);
        public Tensor swapaxes(long dim0, long dim1) => Operators.Run("aten::swapaxes", this, dim0, dim1);
        public Tensor swapdims(long dim0, long dim1) => Operators.Run("aten::swapdims", this, dim0, dim1);
        public Tensor t() => Operators.Run("aten::t", this);
        public Tensor tile(long[] reps) => Operators.Run("aten::tile", this, reps);
        public Tensor transpose(long dim0, long dim1) => Operators.Run("aten::transpose.int", this, dim0, dim1);
        public Tensor transpose_(long dim0, long dim1) => Operators.InPlace("aten::transpose_", this, dim0, dim1);
        public Tensor tril(long diagonal = 0) => Operators.Run("aten::tril", this, diagonal);
        public Tensor tril_(long diagonal = 0) => Operators.InPlace("aten::tril_", this, diagonal);
        public Tensor triu(long diagonal = 0) => Operators.Run("aten::triu", this, diagonal);
        public Tensor triu_(long diagonal = 0) => Operators.InPlace("aten::triu_", this, diagonal);
        public Tensor unflatten(long dim, params long[] sizes) => Operators.Run("aten::unflatten.int", this, dim, sizes);
        public Tensor unfold(long dimension, long size, long step) => Operators.Run("aten::unfold", this, dimension, size, step);
        public Tensor unsqueeze(long dim) => Operators.Run("aten::unsqueeze", this, dim);
        public Tensor unsqueeze_(long dim) => Operators.InPlace("aten::unsqueeze_", this, dim);
        public Tensor view(params long[] shape) => Operators.Run("aten::view", this, shape);
        public Tensor view_as(Tensor other) => Operators.Run("aten::view_as", this, other);
    }
}
