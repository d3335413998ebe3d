// The BLAS that libtorch itself uses, found at run time, for gemms inside our own parallel regions.
#pragma once

#include <cstdint>

namespace lts {

// Row major: C[m, n] = A * B (+ C when accumulate). `trans_a`: A is stored [k, m]; `trans_b`: B is stored [n, k].
void sgemm(bool trans_a, bool trans_b, int m, int n, int k, const float* a, int64_t lda, const float* b, int64_t ldb,
           float* c, int64_t ldc, bool accumulate);

bool have_sgemm();

// While one exists, BLAS calls run on the calling thread: the caller has its own threads.
class SingleThreadedBlas {
 public:
  SingleThreadedBlas();
  ~SingleThreadedBlas();
};

// The size of BLAS's pool outside such regions.
void set_blas_threads(int count);

}  // namespace lts
