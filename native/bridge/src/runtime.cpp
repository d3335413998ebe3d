// The process: error text, threads, random generators, memory settings.
#include "blas.h"
#include "bridge.h"

#include <ATen/Context.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/csrc/api/include/torch/version.h>

#include <dlfcn.h>

using lts::guarded;

namespace lts {
std::string& last_error() {
  thread_local std::string text;
  return text;
}
}  // namespace lts

LTS_API const char* lts_last_error() { return lts::last_error().c_str(); }
LTS_API void lts_clear_error() { lts::last_error().clear(); }
LTS_API const char* lts_version() { return TORCH_VERSION; }

// ATen (OpenMP) and OpenBLAS have a pool each; they never work at the same time in one call, so both get the same size.
LTS_API void lts_set_num_threads(int32_t n) {
  guarded<int>(0, [&] {
    at::set_num_threads(n);
    lts::set_blas_threads(n);
    return 0;
  });
}
LTS_API int32_t lts_get_num_threads() { return at::get_num_threads(); }
LTS_API int32_t lts_set_num_interop_threads(int32_t n) {
  return guarded<int32_t>(-1, [&] { at::set_num_interop_threads(n); return 0; });
}
LTS_API int32_t lts_get_num_interop_threads() { return at::get_num_interop_threads(); }

// Which gemm kernels OpenBLAS chose, for diagnosis; null when another BLAS is in use.
LTS_API const char* lts_blas_core() {
  using getter = char* (*)();
  auto get = reinterpret_cast<getter>(dlsym(RTLD_DEFAULT, "openblas_get_corename"));
  return get ? get() : nullptr;
}

LTS_API void* lts_generator_default() {
  return guarded<void*>(nullptr, [&]() -> void* { return new at::Generator(at::detail::getDefaultCPUGenerator()); });
}
LTS_API void* lts_generator_new(uint64_t seed) {
  return guarded<void*>(nullptr, [&]() -> void* { return new at::Generator(at::detail::createCPUGenerator(seed)); });
}
LTS_API void lts_generator_release(void* g) { delete static_cast<at::Generator*>(g); }
LTS_API int32_t lts_generator_manual_seed(void* g, uint64_t seed) {
  return guarded<int32_t>(-1, [&] {
    auto& generator = *static_cast<at::Generator*>(g);
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_current_seed(seed);
    return 0;
  });
}
LTS_API uint64_t lts_generator_initial_seed(void* g) { return static_cast<at::Generator*>(g)->current_seed(); }
LTS_API uint64_t lts_generator_seed(void* g) {
  return guarded<uint64_t>(0, [&] {
    auto& generator = *static_cast<at::Generator*>(g);
    std::lock_guard<std::mutex> lock(generator.mutex());
    return generator.seed();
  });
}
LTS_API Handle lts_generator_get_state(void* g) {
  return guarded<Handle>(nullptr, [&] {
    auto& generator = *static_cast<at::Generator*>(g);
    std::lock_guard<std::mutex> lock(generator.mutex());
    return lts::give(generator.get_state());
  });
}
LTS_API int32_t lts_generator_set_state(void* g, Handle state) {
  return guarded<int32_t>(-1, [&] {
    auto& generator = *static_cast<at::Generator*>(g);
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(lts::borrow(state));
    return 0;
  });
}
