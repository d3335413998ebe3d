// Fused attention on blocks of queries and keys, with the running softmax of FlashAttention: no [T, T] matrix exists.
// Scores of one block stay in the cache; keys in the future of a whole block are skipped. Backward recomputes the scores.
#include "attention.h"
#include "blas.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

// Compiled for several instruction sets; the loader picks at run time.
#if defined(__x86_64__)
#define LTS_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LTS_CLONES
#endif

namespace lts {
namespace {

constexpr int64_t kQueries = 128, kKeys = 512;
constexpr float kNever = -std::numeric_limits<float>::infinity();

// exp without branches, so that it vectorizes; within 2 ulp, and exactly 0 below -87 (which is where masked scores are).
inline __attribute__((always_inline)) float fast_exp(float x) {
  const float clamped = std::max(x, -87.0f);
  const float shifted = clamped * 1.44269504f + 12582912.0f;  // rounds to an integer in the low bits
  int32_t bits;
  std::memcpy(&bits, &shifted, 4);
  const float n = shifted - 12582912.0f;
  const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  int32_t result;
  std::memcpy(&result, &p, 4);
  result += bits << 23;
  float value;
  std::memcpy(&value, &result, 4);
  return x < -87.0f ? 0.0f : value;
}

LTS_CLONES float scale_and_max(float* s, int64_t n, float scale) {
  float m = kNever;
#pragma omp simd reduction(max : m)
  for (int64_t j = 0; j < n; j++) {
    s[j] *= scale;
    m = std::max(m, s[j]);
  }
  return m;
}

LTS_CLONES float scale_mask_and_max(float* s, int64_t n, float scale, const float* mask, int64_t step) {
  float m = kNever;
#pragma omp simd reduction(max : m)
  for (int64_t j = 0; j < n; j++) {
    s[j] = s[j] * scale + mask[j * step];
    m = std::max(m, s[j]);
  }
  return m;
}

LTS_CLONES float exp_and_sum(float* s, int64_t n, float shift) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; j++) {
    s[j] = fast_exp(s[j] - shift);
    sum += s[j];
  }
  return sum;
}

LTS_CLONES void multiply(float* x, int64_t n, float factor) {
#pragma omp simd
  for (int64_t j = 0; j < n; j++) x[j] *= factor;
}

LTS_CLONES float dot(const float* x, const float* y, int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; j++) sum += x[j] * y[j];
  return sum;
}

// ds = p * (dp - delta) * scale
LTS_CLONES void score_gradient(const float* p, float* dp, int64_t n, float delta, float scale) {
#pragma omp simd
  for (int64_t j = 0; j < n; j++) dp[j] = p[j] * (dp[j] - delta) * scale;
}

// How many of the keys [k0, k1) row i sees.
inline int64_t visible(const AttentionShape& s, int64_t i, int64_t k0, int64_t k1) {
  return s.causal ? std::clamp<int64_t>(i + 1 - k0, 0, k1 - k0) : k1 - k0;
}

// Scales and masks one row of scores in place; returns its maximum.
inline float finish_row(const AttentionShape& s, int64_t b, int64_t h, int64_t i, int64_t k0, int64_t n, float* row) {
  if (n == 0) return kNever;
  return s.mask.data == nullptr ? scale_and_max(row, n, s.scale)
                                : scale_mask_and_max(row, n, s.scale, s.mask.at(b, h, i) + k0 * s.mask_column, s.mask_column);
}

// Blocks without page faults or locks inside the parallel region: one arena, cut by thread.
std::unique_ptr<float[]> arena(size_t floats) { return std::unique_ptr<float[]>(new float[floats]); }

void forward_block(const AttentionShape& s, const Strided<const float>& q, const Strided<const float>& k,
                   const Strided<const float>& v, const Strided<float>& out, float* lse, int64_t b, int64_t h, int64_t q0,
                   float* scores) {
  const int64_t q1 = std::min(q0 + kQueries, s.queries), rows = q1 - q0;
  const int64_t end = s.causal ? std::min(q1, s.keys) : s.keys;
  float top[kQueries], sum[kQueries];
  std::fill_n(top, rows, kNever);
  std::fill_n(sum, rows, 0.0f);
  for (int64_t i = 0; i < rows; i++) std::memset(out.at(b, h, q0 + i), 0, sizeof(float) * s.value_dim);

  for (int64_t k0 = 0; k0 < end; k0 += kKeys) {
    const int64_t k1 = std::min(k0 + kKeys, end), columns = k1 - k0;
    sgemm(false, true, rows, columns, s.dim, q.at(b, h, q0), q.row, k.at(b, h, k0), k.row, scores, kKeys, false);
    for (int64_t i = 0; i < rows; i++) {
      float* row = scores + i * kKeys;
      const int64_t n = visible(s, q0 + i, k0, k1);
      const float m = std::max(top[i], finish_row(s, b, h, q0 + i, k0, n, row));
      if (m == kNever) {
        std::memset(row, 0, sizeof(float) * columns);
        continue;
      }
      const float block = exp_and_sum(row, n, m);
      std::memset(row + n, 0, sizeof(float) * (columns - n));
      const float before = top[i] == kNever ? 0.0f : std::exp(top[i] - m);
      if (before != 1.0f && k0 > 0) multiply(out.at(b, h, q0 + i), s.value_dim, before);
      sum[i] = sum[i] * before + block;
      top[i] = m;
    }
    sgemm(false, false, rows, s.value_dim, columns, scores, kKeys, v.at(b, h, k0), v.row, out.at(b, h, q0), out.row, true);
  }

  for (int64_t i = 0; i < rows; i++) {
    if (sum[i] > 0) multiply(out.at(b, h, q0 + i), s.value_dim, 1.0f / sum[i]);
    if (lse != nullptr)
      lse[(b * s.heads + h) * s.queries + q0 + i] = sum[i] > 0 ? top[i] + std::log(sum[i]) : -kNever;
  }
}

}  // namespace

void attention_forward(const AttentionShape& s, Strided<const float> q, Strided<const float> k, Strided<const float> v,
                       Strided<float> out, float* lse, int threads) {
  const int64_t blocks = (s.queries + kQueries - 1) / kQueries, items = s.batch * s.heads * blocks;
  threads = static_cast<int>(std::min<int64_t>(threads, items));
  auto scratch = arena(static_cast<size_t>(threads) * kQueries * kKeys);
  SingleThreadedBlas single;
  // Under a causal mask later blocks are dearer: they go first, and threads take the next item when they are free.
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    float* scores = scratch.get() + static_cast<size_t>(thread) * kQueries * kKeys;
#pragma omp for schedule(dynamic, 1)
    for (int64_t item = 0; item < items; item++) {
      const int64_t block = blocks - 1 - item / (s.batch * s.heads), bh = item % (s.batch * s.heads);
      forward_block(s, q, k, v, out, lse, bh / s.heads, bh % s.heads, block * kQueries, scores);
    }
  }
}

void attention_backward(const AttentionShape& s, Strided<const float> q, Strided<const float> k, Strided<const float> v,
                        Strided<const float> out, const float* lse, Strided<const float> grad_out, Strided<float> grad_q,
                        Strided<float> grad_k, Strided<float> grad_v, int threads) {
  const int64_t items = s.batch * s.heads;
  threads = static_cast<int>(std::min<int64_t>(threads, items));
  auto scratch = arena(static_cast<size_t>(threads) * 2 * kQueries * kKeys);
  SingleThreadedBlas single;
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    float* p = scratch.get() + static_cast<size_t>(thread) * 2 * kQueries * kKeys;
    float* dp = p + kQueries * kKeys;
#pragma omp for schedule(dynamic, 1)
    for (int64_t item = 0; item < items; item++) {
      const int64_t b = item / s.heads, h = item % s.heads;
      for (int64_t q0 = 0; q0 < s.queries; q0 += kQueries) {
        const int64_t q1 = std::min(q0 + kQueries, s.queries), rows = q1 - q0;
        const int64_t end = s.causal ? std::min(q1, s.keys) : s.keys;
        float delta[kQueries];
        for (int64_t i = 0; i < rows; i++) delta[i] = dot(grad_out.at(b, h, q0 + i), out.at(b, h, q0 + i), s.value_dim);
        for (int64_t k0 = 0; k0 < end; k0 += kKeys) {
          const int64_t k1 = std::min(k0 + kKeys, end), columns = k1 - k0;
          sgemm(false, true, rows, columns, s.dim, q.at(b, h, q0), q.row, k.at(b, h, k0), k.row, p, kKeys, false);
          sgemm(false, true, rows, columns, s.value_dim, grad_out.at(b, h, q0), grad_out.row, v.at(b, h, k0), v.row, dp, kKeys, false);
          for (int64_t i = 0; i < rows; i++) {
            const int64_t n = visible(s, q0 + i, k0, k1);
            const float log_sum = lse[item * s.queries + q0 + i];
            finish_row(s, b, h, q0 + i, k0, n, p + i * kKeys);
            if (n > 0) exp_and_sum(p + i * kKeys, n, log_sum);
            std::memset(p + i * kKeys + n, 0, sizeof(float) * (columns - n));
            score_gradient(p + i * kKeys, dp + i * kKeys, columns, delta[i], s.scale);
          }
          sgemm(true, false, columns, s.value_dim, rows, p, kKeys, grad_out.at(b, h, q0), grad_out.row, grad_v.at(b, h, k0), grad_v.row, true);
          sgemm(false, false, rows, s.dim, columns, dp, kKeys, k.at(b, h, k0), k.row, grad_q.at(b, h, q0), grad_q.row, true);
          sgemm(true, false, columns, s.dim, rows, dp, kKeys, q.at(b, h, q0), q.row, grad_k.at(b, h, k0), grad_k.row, true);
        }
      }
    }
  }
}

}  // namespace lts
