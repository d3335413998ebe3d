// What every file of the bridge shares: the C ABI's types, error capture, and how a tensor travels as a raw pointer.
//
// A handle is a bare TensorImpl* that owns one reference. It needs no allocation of its own, and it can be released on
// any thread, which is what lets .NET finalizers let go of forgotten tensors.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <cstdint>
#include <string>

#define LTS_API extern "C" __attribute__((visibility("default")))

using Handle = c10::TensorImpl*;

// One argument or one result. Lists and strings put a pointer in `value` and their length in `length`.
struct Slot {
  int32_t kind;
  int32_t length;
  int64_t value;
};

enum SlotKind : int32_t {
  kSlotNone = 0,
  kSlotTensor = 1,
  kSlotInt = 2,       // also ScalarType, Layout, MemoryFormat, and integral Scalars
  kSlotDouble = 3,
  kSlotBool = 4,
  kSlotString = 5,
  kSlotIntList = 6,
  kSlotTensorList = 7,
  kSlotOptionalTensorList = 8,  // null entries are absent tensors (advanced indexing)
  kSlotDoubleList = 9,
  kSlotDevice = 10,             // length: device type, value: device index
  kSlotGenerator = 11,
  kSlotBoolList = 12,
  kSlotDefault = 13,            // the schema's own default for this argument
};

namespace lts {

std::string& last_error();

// A borrowed handle as a Tensor that holds its own reference.
inline at::Tensor borrow(Handle handle) {
  if (handle == nullptr) return at::Tensor();
  return at::Tensor(c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim_copy(handle));
}

// Hands the tensor's reference to the caller.
inline Handle give(at::Tensor&& tensor) {
  return tensor.defined() ? tensor.unsafeReleaseTensorImpl() : nullptr;
}

// Runs `body`; an exception becomes `failed` plus a text for lts_last_error. Nothing may cross the C ABI as an exception.
template <typename R, typename F>
R guarded(R failed, F&& body) noexcept {
  try {
    return body();
  } catch (const c10::Error& e) {
    last_error() = e.what_without_backtrace();
  } catch (const std::exception& e) {
    last_error() = e.what();
  } catch (...) {
    last_error() = "unknown C++ exception";
  }
  if (last_error().empty()) last_error() = "native error without a message";
  return failed;
}

}  // namespace lts
