// Functions with a backward pass written in .NET: a graph node that calls back, and what it saves.
//
// Saved tensors are libtorch's own SavedVariables: they keep no cycle alive, notice changes in place, and go when the graph is released.
#include "bridge.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <stdexcept>
#include <unordered_set>
#include <vector>

using lts::borrow;
using lts::give;
using lts::guarded;

namespace {

constexpr int kMessageBytes = 1024;

// `backward(context, node, grads, count, out, capacity, message, bytes)` borrows grads (null where there is none), gives one reference per entry of
// `out` (one per edge, null for none), and returns 0; or writes a text and returns -1. `release(context)` runs once, on any thread.
using Backward = int32_t (*)(void*, void*, Handle*, int32_t, Handle*, int32_t, char*, int32_t);
using Release = void (*)(void*);

struct ManagedNode : torch::autograd::Node {
  ManagedNode(Backward backward, Release release, void* context, std::string name)
      : backward_(backward), release_(release), context_(context), name_(std::move(name)) {}

  ~ManagedNode() override {
    if (owns_context) release_(context_);
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& grads) override {
    std::vector<Handle> in(grads.size()), out(num_outputs(), nullptr);
    for (size_t i = 0; i < grads.size(); i++) in[i] = give(std::move(grads[i]));
    char message[kMessageBytes] = {0};
    const int32_t status = backward_(context_, this, in.data(), static_cast<int32_t>(in.size()), out.data(), static_cast<int32_t>(out.size()),
                                     message, kMessageBytes);
    torch::autograd::variable_list result;
    result.reserve(out.size());
    for (Handle h : out)
      result.emplace_back(h == nullptr ? at::Tensor() : at::Tensor(c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(h)));
    if (status < 0) throw std::runtime_error(name_ + ": " + message);
    return result;
  }

  void release_variables() override {
    saved.clear();
    released = true;
  }

  std::string name() const override { return name_; }

  std::vector<torch::autograd::SavedVariable> saved;
  bool released = false;
  bool owns_context = false;

 private:
  Backward backward_;
  Release release_;
  void* context_;
  std::string name_;
};

std::unordered_set<at::TensorImpl*> set(Handle* handles, int32_t count) { return {handles, handles + count}; }

}  // namespace

// Ties raw outputs to inputs. `wrapped` receives one handle per output. Only on success the node owns `context`.
LTS_API int32_t lts_function_wrap(const char* name, Handle* inputs, int32_t input_count, Handle* constant, int32_t constant_count, Handle* dirty,
                                  int32_t dirty_count, Handle* saved, int32_t saved_count, Handle* outputs, int32_t output_count, Backward backward,
                                  Release release, void* context, Handle* wrapped) {
  return guarded<int32_t>(-1, [&] {
    auto node = std::shared_ptr<ManagedNode>(new ManagedNode(backward, release, context, name), torch::autograd::deleteNode);
    torch::autograd::variable_list in;
    for (int32_t i = 0; i < input_count; i++) in.push_back(borrow(inputs[i]));
    std::vector<c10::optional<at::Tensor>> raw;
    for (int32_t i = 0; i < output_count; i++) raw.emplace_back(borrow(outputs[i]));
    node->set_next_edges(torch::autograd::collect_next_edges(in));
    node->clear_input_metadata();
    auto results = torch::autograd::_wrap_outputs(in, set(constant, constant_count), set(dirty, dirty_count), raw, node, nullptr);
    for (int32_t i = 0; i < saved_count; i++) {
      auto tensor = borrow(saved[i]);
      const bool is_output = tensor.defined() && tensor.grad_fn() == node;
      node->saved.emplace_back(tensor, is_output);
    }
    for (size_t i = 0; i < results.size(); i++) wrapped[i] = results[i].has_value() ? give(std::move(*results[i])) : nullptr;
    node->owns_context = true;
    return 0;
  });
}

// One new reference per saved tensor, null for those that were undefined; fails where the graph was released or a tensor was changed in place.
LTS_API int32_t lts_function_saved(void* handle, Handle* out, int32_t capacity) {
  return guarded<int32_t>(-1, [&] {
    auto* node = static_cast<ManagedNode*>(handle);
    TORCH_CHECK(!node->released, "the saved tensors were freed by an earlier backward pass; keep the graph to go through it twice");
    auto self = node->shared_from_this();
    std::vector<at::Tensor> tensors;
    for (auto& variable : node->saved) tensors.push_back(variable.unpack(self));
    for (int32_t i = 0; i < capacity && i < static_cast<int32_t>(tensors.size()); i++) out[i] = give(std::move(tensors[i]));
    return static_cast<int32_t>(node->saved.size());
  });
}
