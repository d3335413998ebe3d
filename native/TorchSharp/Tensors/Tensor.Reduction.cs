// Reductions, cumulative functions, ordering. One line a member: the public signature, and the operator it calls (native/README.md says how to add one).
namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor all(long dim, bool keepdim = false) => Operators.Run("aten::all.dim", this, dim, keepdim);
        public Tensor all() => Operators.Run("aten::all", this);
        public bool allclose(Tensor target, double rtol = 1E-05, double atol = 1E-08, bool equal_nan = false) => Operators.RunBool("aten::allclose", this, target, rtol, atol, equal_nan);
        public Tensor amax(params long[] dims) => Operators.Run("aten::amax", this, dims);
        public Tensor amin(params long[] dims) => Operators.Run("aten::amin", this, dims);
        public (Tensor min, Tensor max) aminmax(long? dim = null, bool keepdim = false) => Operators.Run2("aten::aminmax", this, dim, keepdim);
        public Tensor any() => Operators.Run("aten::any", this);
        public Tensor any(long dim, bool keepdim = false) => Operators.Run("aten::any.dim", this, dim, keepdim);
        public Tensor argmax(long dim, bool keepdim = false) => Operators.Run("aten::argmax", this, dim, keepdim);
        public Tensor argmax() => Operators.Run("aten::argmax", this);
        public Tensor argmin() => Operators.Run("aten::argmin", this);
        public Tensor argmin(long dim, bool keepdim = false) => Operators.Run("aten::argmin", this, dim, keepdim);
        public Tensor argsort(long dim = -1, bool descending = false) => Operators.Run("aten::argsort", this, dim, descending);
        public Tensor bincount(Tensor? weights, long minlength = 0) => Operators.Run("aten::bincount", this, weights, minlength);
        public Tensor corrcoef() => Operators.Run("aten::corrcoef", this);
        public Tensor cov(long correction = 1, Tensor? fweights = null, Tensor? aweights = null) => Operators.Run("aten::cov", this, correction, fweights, aweights);
        public (Tensor values, Tensor indexes) cummax(long dim) => Operators.Run2("aten::cummax", this, dim);
        public (Tensor values, Tensor indexes) cummin(long dim) => Operators.Run2("aten::cummin", this, dim);
        public Tensor cumprod(long dim, ScalarType? type = null) => Operators.Run("aten::cumprod", this, dim, type);
        public Tensor cumsum(long dim, ScalarType? type = null) => Operators.Run("aten::cumsum", this, dim, type);
        public Tensor diff(long n = 1, long dim = -1, Tensor? prepend = null, Tensor? append = null) => Operators.Run("aten::diff", this, n, dim, prepend, append);
        public Tensor dist(Tensor other, float p = 2f) => Operators.Run("aten::dist", this, other, p);
        public (Tensor values, Tensor indices) kthvalue(long k, long? dim, bool keepdim = false) => Operators.Run2("aten::kthvalue", this, k, dim, keepdim);
        public Tensor log_softmax(long dim, ScalarType? dtype = null) => Operators.Run("aten::log_softmax.int", this, dim, dtype);
        public Tensor logcumsumexp(long dim) => Operators.Run("aten::logcumsumexp", this, dim);
        public Tensor logsumexp(long dim, bool keepdim = false) => Operators.Run("aten::logsumexp", this, Arg.ListOf(dim), keepdim);
        public Tensor mean() => Operators.Run("aten::mean", this);
        public Tensor mean(long[] dimensions, bool keepdim = false, ScalarType? type = null) => Operators.Run("aten::mean.dim", this, dimensions, keepdim, type);
        public Tensor median() => Operators.Run("aten::median", this);
        public (Tensor values, Tensor indices) mode(long dim = -1, bool keepdim = false) => Operators.Run2("aten::mode", this, dim, keepdim);
        public Tensor msort() => Operators.Run("aten::msort", this);
        public Tensor nanmedian() => Operators.Run("aten::nanmedian", this);
        public Tensor nanquantile(Tensor q, long dim = -1, bool keepdim = false) => Operators.Run("aten::nanquantile", this, q, dim, keepdim);
        public Tensor nansum() => Operators.Run("aten::nansum", this);
        public Tensor norm(float p = 2f) => Operators.Run("aten::norm.Scalar", this, p);
        public Tensor prod(ScalarType? type = null) => Operators.Run("aten::prod", this, type);
        public Tensor prod(long dim, bool keepdim = false, ScalarType? type = null) => Operators.Run("aten::prod.dim_int", this, dim, keepdim, type);
        public Tensor quantile(Tensor q, long dim = -1, bool keepdim = false) => Operators.Run("aten::quantile", this, q, dim, keepdim);
        public Tensor renorm(float p, long dim, float maxnorm) => Operators.Run("aten::renorm", this, p, dim, maxnorm);
        public Tensor softmax(long dim, ScalarType? dtype = null) => Operators.Run("aten::softmax.int", this, dim, dtype);
        public Tensor std(bool unbiased = true) => Operators.Run("aten::std", this, unbiased);
        public (Tensor std, Tensor mean) std_mean(bool unbiased = true) => Operators.Run2("aten::std_mean", this, unbiased);
        public Tensor sum(ScalarType? type = null) => Operators.Run("aten::sum", this, type);
        public Tensor sum(long[] dim, bool keepdim = false, ScalarType? type = null) => Operators.Run("aten::sum.dim_IntList", this, dim, keepdim, type);
        public Tensor sum(ReadOnlySpan<long> dim, bool keepdim = false, ScalarType? type = null) => Operators.Run("aten::sum.dim_IntList", this, dim, keepdim, type);
        public Tensor sum(long dim, bool keepdim = false, ScalarType? type = null) => Operators.Run("aten::sum.dim_IntList", this, Arg.ListOf(dim), keepdim, type);
        public (Tensor values, Tensor indexes) topk(int k, int dim = -1, bool largest = true, bool sorted = true) => Operators.Run2("aten::topk", this, k, dim, largest, sorted);
        public Tensor trace() => Operators.Run("aten::trace", this);
        public Tensor var(bool unbiased = true) => Operators.Run("aten::var", this, unbiased);
        public (Tensor var, Tensor mean) var_mean(bool unbiased = true) => Operators.Run2("aten::var_mean", this, unbiased);
    }
}
