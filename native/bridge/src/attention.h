// The kernels of fused attention. All matrices are float32 with unit stride in the last dimension.
#pragma once

#include <cstdint>

namespace lts {

// One operand over [batch, heads, rows, columns]: strides of the first three.
template <typename T>
struct Strided {
  T* data;
  int64_t batch, head, row;
  T* at(int64_t b, int64_t h, int64_t r = 0) const { return data + b * batch + h * head + r * row; }
};

struct AttentionShape {
  int64_t batch, heads, queries, keys, dim, value_dim;
  float scale;
  bool causal;                      // query i sees keys 0..i
  Strided<const float> mask{};      // added to the scores; data is null when there is none
  int64_t mask_column = 0;          // stride of the last dimension of the mask: 0 when it is broadcast
};

// lse[b, h, i]: log of the sum of exponentials of row i, +inf for a row that sees nothing (its output is zero).
void attention_forward(const AttentionShape& s, Strided<const float> q, Strided<const float> k, Strided<const float> v,
                       Strided<float> out, float* lse, int threads);

void attention_backward(const AttentionShape& s, Strided<const float> q, Strided<const float> k, Strided<const float> v,
                        Strided<const float> out, const float* lse, Strided<const float> grad_out, Strided<float> grad_q,
                        Strided<float> grad_k, Strided<float> grad_v, int threads);

}  // namespace lts
