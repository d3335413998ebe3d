// Gradients: flags on tensors, backward, grad, and the modes of the calling thread.
#include "bridge.h"

#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

using lts::borrow;
using lts::give;
using lts::guarded;

namespace {

std::vector<at::Tensor> list(Handle* handles, int32_t count) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(count);
  for (int32_t i = 0; i < count; i++) tensors.push_back(borrow(handles[i]));
  return tensors;
}

}  // namespace

LTS_API int32_t lts_requires_grad(Handle h) { return guarded<int32_t>(0, [&] { return borrow(h).requires_grad() ? 1 : 0; }); }

LTS_API int32_t lts_set_requires_grad(Handle h, int32_t value) {
  return guarded<int32_t>(-1, [&] { borrow(h).set_requires_grad(value != 0); return 0; });
}

LTS_API int32_t lts_is_leaf(Handle h) { return guarded<int32_t>(1, [&] { return borrow(h).is_leaf() ? 1 : 0; }); }
LTS_API int32_t lts_retain_grad(Handle h) { return guarded<int32_t>(-1, [&] { borrow(h).retain_grad(); return 0; }); }

// Null without an error when there is no gradient.
LTS_API Handle lts_grad(Handle h) {
  return guarded<Handle>(nullptr, [&] {
    auto g = borrow(h).grad();
    return give(std::move(g));
  });
}

LTS_API int32_t lts_set_grad(Handle h, Handle grad) {
  return guarded<int32_t>(-1, [&] { borrow(h).mutable_grad() = borrow(grad); return 0; });
}

LTS_API int32_t lts_backward(Handle* roots, int32_t root_count, Handle* grads, Handle* inputs, int32_t input_count,
                             int32_t retain_graph, int32_t create_graph) {
  return guarded<int32_t>(-1, [&] {
    c10::optional<bool> retain = retain_graph < 0 ? c10::nullopt : c10::optional<bool>(retain_graph != 0);
    torch::autograd::backward(list(roots, root_count), grads ? list(grads, root_count) : std::vector<at::Tensor>(), retain,
                              create_graph != 0, list(inputs, input_count));
    return 0;
  });
}

// `out` receives one handle per input; null where an unused input is allowed.
LTS_API int32_t lts_autograd_grad(Handle* outputs, int32_t output_count, Handle* inputs, int32_t input_count, Handle* grads,
                                  int32_t retain_graph, int32_t create_graph, int32_t allow_unused, Handle* out) {
  return guarded<int32_t>(-1, [&] {
    auto result = torch::autograd::grad(list(outputs, output_count), list(inputs, input_count),
                                        grads ? list(grads, output_count) : std::vector<at::Tensor>(),
                                        retain_graph < 0 ? c10::nullopt : c10::optional<bool>(retain_graph != 0),
                                        create_graph != 0, allow_unused != 0);
    for (size_t i = 0; i < result.size(); i++) out[i] = give(std::move(result[i]));
    return 0;
  });
}

LTS_API int32_t lts_grad_mode() { return c10::GradMode::is_enabled(); }
LTS_API void lts_set_grad_mode(int32_t enabled) { c10::GradMode::set_enabled(enabled != 0); }

LTS_API int32_t lts_inference_mode() { return c10::InferenceMode::is_enabled(); }
LTS_API void* lts_inference_mode_enter(int32_t enabled) { return new c10::InferenceMode(enabled != 0); }
LTS_API void lts_inference_mode_leave(void* guard) { delete static_cast<c10::InferenceMode*>(guard); }
