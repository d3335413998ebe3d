// Products of matrices and vectors. One line a member: the public signature, and the operator it calls (native/README.md says how to add one).
namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor addbmm(Tensor batch1, Tensor batch2, float beta = 1f, float alpha = 1f) => Operators.Run("aten::addbmm", this, batch1, batch2, beta, alpha);
        public Tensor addbmm_(Tensor batch1, Tensor batch2, float beta = 1f, float alpha = 1f) => Operators.InPlace("aten::addbmm_", this, batch1, batch2, beta, alpha);
        public Tensor addmm(Tensor mat1, Tensor mat2, float beta = 1f, float alpha = 1f) => Operators.Run("aten::addmm", this, mat1, mat2, beta, alpha);
        public Tensor addmm_(Tensor mat1, Tensor mat2, float beta = 1f, float alpha = 1f) => Operators.InPlace("aten::addmm_", this, mat1, mat2, beta, alpha);
        public Tensor addmv(Tensor mat, Tensor vec, float beta = 1f, float alpha = 1f) => Operators.Run("aten::addmv", this, mat, vec, beta, alpha);
        public Tensor addmv_(Tensor mat, Tensor vec, float beta = 1f, float alpha = 1f) => Operators.InPlace("aten::addmv_", this, mat, vec, beta, alpha);
        public Tensor addr(Tensor vec1, Tensor vec2, float beta = 1f, float alpha = 1f) => Operators.Run("aten::addr", this, vec1, vec2, beta, alpha);
        public Tensor addr_(Tensor vec1, Tensor vec2, float beta = 1f, float alpha = 1f) => Operators.InPlace("aten::addr_", this, vec1, vec2, beta, alpha);
        public Tensor baddbmm(Tensor batch1, Tensor batch2, float beta = 1f, float alpha = 1f) => Operators.Run("aten::baddbmm", this, batch1, batch2, beta, alpha);
        public Tensor bmm(Tensor batch2) => Operators.Run("aten::bmm", this, batch2);
        public Tensor cholesky_inverse(bool upper = false) => Operators.Run("aten::cholesky_inverse", this, upper);
        public Tensor cholesky_solve(Tensor input2, bool upper = false) => Operators.Run("aten::cholesky_solve", this, input2, upper);
        public Tensor det() => Operators.Run("aten::det", this);
        public Tensor dot(Tensor target) => Operators.Run("aten::dot", this, target);
        public Tensor ger(Tensor vec2) => Operators.Run("aten::ger", this, vec2);
        public Tensor inner(Tensor vec2) => Operators.Run("aten::inner", this, vec2);
        public Tensor inverse() => Operators.Run("aten::inverse", this);
        public Tensor kron(Tensor other) => Operators.Run("aten::kron", this, other);
        public Tensor logdet() => Operators.Run("aten::logdet", this);
        public Tensor matrix_exp() => Operators.Run("aten::matrix_exp", this);
        public Tensor matrix_power(int n) => Operators.Run("aten::matrix_power", this, n);
        public Tensor mm(Tensor target) => Operators.Run("aten::mm", this, target);
        public Tensor mv(Tensor target) => Operators.Run("aten::mv", this, target);
        public Tensor outer(Tensor vec2) => Operators.Run("aten::outer", this, vec2);
        public Tensor tensordot(Tensor b, long[] dims1, long[] dims2) => Operators.Run("aten::tensordot", this, b, dims1, dims2);
        public Tensor vdot(Tensor target) => Operators.Run("aten::vdot", this, target);
    }
}
