// Run-time access to sgemm_ and to OpenBLAS's thread count. Nothing is linked, so any BLAS that libtorch was built for works.
#include "blas.h"

#include <dlfcn.h>

#include <mutex>

namespace lts {
namespace {

using Sgemm = void (*)(const char*, const char*, const int*, const int*, const int*, const float*, const float*, const int*,
                       const float*, const int*, const float*, float*, const int*);
using SetThreads = void (*)(int);

const Sgemm sgemm_entry = reinterpret_cast<Sgemm>(dlsym(RTLD_DEFAULT, "sgemm_"));
const SetThreads set_threads = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));

std::mutex mutex;
int wanted = 1;   // outside single-threaded regions
int regions = 0;  // the setting is global, regions of several threads may overlap

}  // namespace

bool have_sgemm() { return sgemm_entry != nullptr; }

// BLAS is column major: it sees the transposes of our matrices, and C^T = B^T A^T.
void sgemm(bool trans_a, bool trans_b, int m, int n, int k, const float* a, int64_t lda, const float* b, int64_t ldb,
           float* c, int64_t ldc, bool accumulate) {
  const float one = 1, beta = accumulate ? 1 : 0;
  const int la = static_cast<int>(lda), lb = static_cast<int>(ldb), lc = static_cast<int>(ldc);
  sgemm_entry(trans_b ? "T" : "N", trans_a ? "T" : "N", &n, &m, &k, &one, b, &lb, a, &la, &beta, c, &lc);
}

void set_blas_threads(int count) {
  if (set_threads == nullptr) return;
  std::lock_guard<std::mutex> lock(mutex);
  wanted = count;
  if (regions == 0) set_threads(count);
}

SingleThreadedBlas::SingleThreadedBlas() {
  if (set_threads == nullptr) return;
  std::lock_guard<std::mutex> lock(mutex);
  if (regions++ == 0) set_threads(1);
}

SingleThreadedBlas::~SingleThreadedBlas() {
  if (set_threads == nullptr) return;
  std::lock_guard<std::mutex> lock(mutex);
  if (--regions == 0) set_threads(wanted);
}

}  // namespace lts
