// Picking and placing elements. One line a member: the public signature, and the operator it calls (native/README.md says how to add one).
namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor argwhere() => Operators.Run("aten::argwhere", this);
        public Tensor bucketize(Tensor boundaries, bool outInt32 = false, bool right = false) => Operators.Run("aten::bucketize.Tensor", this, boundaries, outInt32, right);
        public Tensor copy_(Tensor source, bool nonBlocking = false) => Operators.InPlace("aten::copy_", this, source, nonBlocking);
        public Tensor diagonal_scatter(Tensor src, long offset = 0, long dim1 = 0, long dim2 = 1) => Operators.Run("aten::diagonal_scatter", this, src, offset, dim1, dim2);
        public Tensor gather(long dim, Tensor index) => Operators.Run("aten::gather", this, dim, index);
        public Tensor index_add(long dim, Tensor index, Tensor source, Scalar alpha) => Operators.Run("aten::index_add", this, dim, index, source, alpha);
        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha) => Operators.InPlace("aten::index_add_", this, dim, index, source, alpha);
        public Tensor index_copy(long dim, Tensor index, Tensor source) => Operators.Run("aten::index_copy", this, dim, index, source);
        public Tensor index_copy_(long dim, Tensor index, Tensor source) => Operators.InPlace("aten::index_copy_", this, dim, index, source);
        public Tensor index_fill(long dim, Tensor index, Scalar value) => Operators.Run("aten::index_fill.int_Scalar", this, dim, index, value);
        public Tensor index_fill_(long dim, Tensor index, Scalar value) => Operators.InPlace("aten::index_fill_.int_Scalar", this, dim, index, value);
        public Tensor index_select(long dim, Tensor index) => Operators.Run("aten::index_select", this, dim, index);
        public Tensor isin(Tensor test_elements, bool assumeUnique = false, bool invert = false) => Operators.Run("aten::isin.Tensor_Tensor", this, test_elements, assumeUnique, invert);
        public Tensor masked_fill(Tensor mask, Scalar value) => Operators.Run("aten::masked_fill.Scalar", this, mask, value);
        public Tensor masked_fill_(Tensor mask, Scalar value) => Operators.InPlace("aten::masked_fill_.Scalar", this, mask, value);
        public Tensor masked_scatter(Tensor mask, Tensor value) => Operators.Run("aten::masked_scatter", this, mask, value);
        public Tensor masked_scatter_(Tensor mask, Tensor value) => Operators.InPlace("aten::masked_scatter_", this, mask, value);
        public Tensor masked_select(Tensor mask) => Operators.Run("aten::masked_select", this, mask);
        public Tensor nonzero() => Operators.Run("aten::nonzero", this);
        public Tensor scatter(long dim, Tensor index, Tensor src) => Operators.Run("aten::scatter.src", this, dim, index, src);
        public Tensor scatter_(long dim, Tensor index, Tensor src) => Operators.InPlace("aten::scatter_.src", this, dim, index, src);
        public Tensor scatter_add(long dim, Tensor index, Tensor src) => Operators.Run("aten::scatter_add", this, dim, index, src);
        public Tensor scatter_add_(long dim, Tensor index, Tensor src) => Operators.InPlace("aten::scatter_add_", this, dim, index, src);
        public Tensor select_scatter(Tensor src, long dim, long index) => Operators.Run("aten::select_scatter", this, src, dim, index);
        public Tensor set_(Tensor source) => Operators.InPlace("aten::set_.source_Tensor", this, source);
        public Tensor slice_scatter(Tensor src, long dim = 0, long? start = null, long? end = null, long step = 1) => Operators.Run("aten::slice_scatter", this, src, dim, start, end, step);
        public Tensor take(Tensor index) => Operators.Run("aten::take", this, index);
        public Tensor take_along_dim(Tensor indices, long dim) => Operators.Run("aten::take_along_dim", this, indices, dim);
        public Tensor take_along_dim(Tensor indices) => Operators.Run("aten::take_along_dim", this, indices);
    }
}
