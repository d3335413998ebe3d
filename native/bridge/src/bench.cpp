// The same work as bench/TorchOverhead does, written in C++: what a call costs without .NET. Used by that program only.
#include "bridge.h"

#include <ATen/ops/add.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>

#include <chrono>

namespace {

template <typename F>
double seconds_per_call(int64_t calls, F&& body) {
  c10::NoGradGuard guard;
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < calls; i++) body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(calls);
}

}  // namespace

LTS_API double lts_bench_add(int64_t calls) {
  const auto a = at::ones({4}), b = at::ones({4});
  return seconds_per_call(calls, [&] { at::Tensor c = at::add(a, b); });
}

LTS_API double lts_bench_matmul(int64_t size, int64_t calls) {
  const auto a = at::randn({size, size}), b = at::randn({size, size});
  return seconds_per_call(calls, [&] { at::Tensor c = at::matmul(a, b); });
}
