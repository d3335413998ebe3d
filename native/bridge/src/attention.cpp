// Fused attention as an operator of the dispatcher, "llmshearing::attention", with its own backward.
// libtorch 1.13 has none worth using on the CPU. Inputs are [batch, heads, T, D]; the managed side sees to that.
#include "attention.h"
#include "blas.h"
#include "bridge.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace {

using at::Tensor;
using c10::optional;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// float32 with unit stride in the last dimension. Views such as transposed heads need no copy.
Tensor prepared(const Tensor& t) {
  Tensor f = t.scalar_type() == at::kFloat ? t : t.to(at::kFloat);
  return f.stride(-1) == 1 || f.size(-1) == 1 ? f : f.contiguous();
}

template <typename T>
lts::Strided<T> strided(const Tensor& t) {
  return {t.data_ptr<std::remove_const_t<T>>(), t.stride(0), t.stride(1), t.stride(2)};
}

// Rows of one batch entry follow each other across the heads, so that merging heads afterwards needs no copy.
Tensor heads_inside(int64_t batch, int64_t heads, int64_t rows, int64_t columns, bool zero) {
  const auto options = at::TensorOptions().dtype(at::kFloat);
  return (zero ? at::zeros({batch, rows, heads, columns}, options) : at::empty({batch, rows, heads, columns}, options)).transpose(1, 2);
}

lts::AttentionShape shape_of(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, bool causal, double scale) {
  lts::AttentionShape s{q.size(0), q.size(1), q.size(2), k.size(2), q.size(3), v.size(3), static_cast<float>(scale), causal};
  if (mask.defined()) {
    s.mask = strided<const float>(mask);
    s.mask_column = mask.stride(3);
  }
  return s;
}

int threads() { return at::in_parallel_region() ? 1 : at::get_num_threads(); }

// A boolean mask (true: may be seen) becomes an additive one, without expanding what is broadcast.
Tensor additive(const optional<Tensor>& mask, const Tensor& q, const Tensor& k) {
  if (!mask.has_value() || !mask->defined()) return Tensor();
  Tensor m = mask->detach();
  if (m.scalar_type() == at::kBool) m = at::zeros(m.sizes(), at::TensorOptions().dtype(at::kFloat)).masked_fill_(m.logical_not(), -INFINITY);
  return m.to(at::kFloat).expand({q.size(0), q.size(1), q.size(2), k.size(2)});
}

class Attention : public torch::autograd::Function<Attention> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& query, const Tensor& key, const Tensor& value,
                        const optional<Tensor>& attn_mask, bool causal, double scale, bool backward) {
    const Tensor q = prepared(query), k = prepared(key), v = prepared(value), mask = additive(attn_mask, q, k);
    const auto s = shape_of(q, k, v, mask, causal, scale);
    Tensor out = heads_inside(s.batch, s.heads, s.queries, s.value_dim, false);
    Tensor lse = backward ? at::empty({s.batch, s.heads, s.queries}, at::TensorOptions().dtype(at::kFloat)) : Tensor();
    if (out.numel() > 0)
      lts::attention_forward(s, strided<const float>(q), strided<const float>(k), strided<const float>(v), strided<float>(out),
                             backward ? lse.data_ptr<float>() : nullptr, threads());
    if (ctx != nullptr && backward) {
      ctx->save_for_backward({q, k, v, mask, out, lse});
      ctx->saved_data["causal"] = causal;
      ctx->saved_data["scale"] = scale;
      ctx->saved_data["dtype"] = static_cast<int64_t>(query.scalar_type());
    }
    return out.to(query.scalar_type());
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2], &mask = saved[3], &out = saved[4], &lse = saved[5];
    const auto s = shape_of(q, k, v, mask, ctx->saved_data["causal"].toBool(), ctx->saved_data["scale"].toDouble());
    const Tensor grad = prepared(grads[0]);
    Tensor dq = heads_inside(s.batch, s.heads, s.queries, s.dim, true);
    Tensor dk = heads_inside(s.batch, s.heads, s.keys, s.dim, true);
    Tensor dv = heads_inside(s.batch, s.heads, s.keys, s.value_dim, true);
    if (grad.numel() > 0)
      lts::attention_backward(s, strided<const float>(q), strided<const float>(k), strided<const float>(v), strided<const float>(out),
                              lse.data_ptr<float>(), strided<const float>(grad), strided<float>(dq), strided<float>(dk), strided<float>(dv), threads());
    const auto dtype = static_cast<at::ScalarType>(ctx->saved_data["dtype"].toInt());
    return {dq.to(dtype), dk.to(dtype), dv.to(dtype), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

void check(const Tensor& q, const Tensor& k, const Tensor& v) {
  TORCH_CHECK(lts::have_sgemm(), "fused attention needs a BLAS with sgemm_");
  TORCH_CHECK(q.dim() == 4 && k.dim() == 4 && v.dim() == 4, "attention takes [batch, heads, T, D]");
  TORCH_CHECK(q.size(0) == k.size(0) && q.size(1) == k.size(1) && q.size(3) == k.size(3) && k.size(0) == v.size(0) &&
                  k.size(1) == v.size(1) && k.size(2) == v.size(2),
              "attention shapes do not fit: query ", q.sizes(), ", key ", k.sizes(), ", value ", v.sizes());
}

Tensor attention_autograd(const Tensor& q, const Tensor& k, const Tensor& v, const optional<Tensor>& mask, bool causal, double scale) {
  check(q, k, v);
  const bool backward = c10::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad() || v.requires_grad());
  // What `forward` computes on the way must not be recorded; Function::apply sees to that.
  return Attention::apply(q, k, v, mask, causal, scale, backward);
}

Tensor attention_cpu(const Tensor& q, const Tensor& k, const Tensor& v, const optional<Tensor>& mask, bool causal, double scale) {
  check(q, k, v);
  return Attention::forward(nullptr, q, k, v, mask, causal, scale, false);
}

}  // namespace

TORCH_LIBRARY(llmshearing, m) {
  m.def("attention(Tensor query, Tensor key, Tensor value, Tensor? mask, bool causal, float scale) -> Tensor");
  m.impl("attention", c10::DispatchKey::CPU, TORCH_FN(attention_cpu));
  m.impl("attention", c10::DispatchKey::AutogradCPU, TORCH_FN(attention_autograd));
}
