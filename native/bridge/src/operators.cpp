// The one generic entry: any operator of libtorch's dispatcher, found once by name, called with boxed arguments.
#include "bridge.h"

#include <ATen/core/Generator.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

struct Operator {
  c10::OperatorHandle handle;
  std::vector<c10::IValue> defaults;  // None where the schema has no default
  size_t arguments;
};

// One stack per thread. Calls nest (an operator may end in a callback that calls another), so a call works above the
// height it found and leaves the stack at that height.
torch::jit::Stack& stack() {
  thread_local torch::jit::Stack s;
  return s;
}

void push(torch::jit::Stack& s, const Operator& op, const Slot& a, size_t position) {
  switch (a.kind) {
    case kSlotNone: s.emplace_back(); return;
    case kSlotTensor: s.emplace_back(lts::borrow(reinterpret_cast<Handle>(a.value))); return;
    case kSlotInt: s.emplace_back(a.value); return;
    case kSlotDouble: { double d; std::memcpy(&d, &a.value, 8); s.emplace_back(d); return; }
    case kSlotBool: s.emplace_back(a.value != 0); return;
    case kSlotString: s.emplace_back(std::string(reinterpret_cast<const char*>(a.value), a.length)); return;
    case kSlotIntList: {
      auto p = reinterpret_cast<const int64_t*>(a.value);
      s.emplace_back(at::IntArrayRef(p, a.length));
      return;
    }
    case kSlotDoubleList: {
      auto p = reinterpret_cast<const double*>(a.value);
      s.emplace_back(at::ArrayRef<double>(p, a.length));
      return;
    }
    case kSlotBoolList: {
      c10::List<bool> list;
      for (int i = 0; i < a.length; i++) list.push_back(reinterpret_cast<const int64_t*>(a.value)[i] != 0);
      s.emplace_back(std::move(list));
      return;
    }
    case kSlotTensorList: {
      auto p = reinterpret_cast<Handle*>(a.value);
      c10::List<at::Tensor> list;
      list.reserve(a.length);
      for (int i = 0; i < a.length; i++) list.push_back(lts::borrow(p[i]));
      s.emplace_back(std::move(list));
      return;
    }
    case kSlotOptionalTensorList: {
      auto p = reinterpret_cast<Handle*>(a.value);
      c10::List<c10::optional<at::Tensor>> list;
      list.reserve(a.length);
      for (int i = 0; i < a.length; i++)
        list.push_back(p[i] ? c10::optional<at::Tensor>(lts::borrow(p[i])) : c10::nullopt);
      s.emplace_back(std::move(list));
      return;
    }
    case kSlotDevice:
      s.emplace_back(c10::Device(static_cast<c10::DeviceType>(a.length), static_cast<c10::DeviceIndex>(a.value)));
      return;
    case kSlotGenerator: s.emplace_back(*reinterpret_cast<at::Generator*>(a.value)); return;
    case kSlotDefault: s.emplace_back(op.defaults[position]); return;
    default: TORCH_CHECK(false, "argument ", position, " of ", op.handle.schema().name(), " has unknown kind ", a.kind);
  }
}

Slot pop(c10::IValue&& v) {
  Slot r{kSlotNone, 0, 0};
  if (v.isTensor()) {
    r.value = reinterpret_cast<int64_t>(lts::give(std::move(v).toTensor()));
    r.kind = r.value ? kSlotTensor : kSlotNone;
  } else if (v.isInt()) {
    r.kind = kSlotInt;
    r.value = v.toInt();
  } else if (v.isDouble()) {
    r.kind = kSlotDouble;
    double d = v.toDouble();
    std::memcpy(&r.value, &d, 8);
  } else if (v.isBool()) {
    r.kind = kSlotBool;
    r.value = v.toBool();
  } else if (v.isTensorList()) {
    auto tensors = std::move(v).toTensorVector();
    auto out = static_cast<Handle*>(std::malloc(sizeof(Handle) * (tensors.size() + 1)));
    for (size_t i = 0; i < tensors.size(); i++) out[i] = lts::give(std::move(tensors[i]));
    r.kind = kSlotTensorList;
    r.length = static_cast<int32_t>(tensors.size());
    r.value = reinterpret_cast<int64_t>(out);
  }
  return r;
}

}  // namespace

// Returns null with lts_last_error when there is no such operator.
LTS_API void* lts_find(const char* name, const char* overload) {
  return lts::guarded<void*>(nullptr, [&]() -> void* {
    auto handle = c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
    auto op = new Operator{handle, {}, handle.schema().arguments().size()};
    for (const auto& a : handle.schema().arguments()) op->defaults.push_back(a.default_value().value_or(c10::IValue()));
    return op;
  });
}

// Arguments left out at the end take the schema's defaults. Returns the number of results, or -1.
LTS_API int32_t lts_call(void* opaque, const Slot* arguments, int32_t count, Slot* results, int32_t capacity) {
  auto& s = stack();
  const size_t base = s.size();
  int32_t n = lts::guarded<int32_t>(-1, [&] {
    auto& op = *static_cast<Operator*>(opaque);
    TORCH_CHECK(static_cast<size_t>(count) <= op.arguments, op.handle.schema().name(), " takes ", op.arguments,
                " arguments, given ", count);
    for (int32_t i = 0; i < count; i++) push(s, op, arguments[i], i);
    for (size_t i = count; i < op.arguments; i++) s.emplace_back(op.defaults[i]);
    op.handle.callBoxed(&s);
    const auto produced = static_cast<int32_t>(s.size() - base);
    TORCH_CHECK(produced <= capacity, op.handle.schema().name(), " returns ", produced, " values");
    for (int32_t i = 0; i < produced; i++) results[i] = pop(std::move(s[base + i]));
    return produced;
  });
  s.resize(base);
  return n;
}

LTS_API void lts_free(void* memory) { std::free(memory); }
