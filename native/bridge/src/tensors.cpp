// Handles: reference counts, metadata, raw memory, and tensors over memory owned by .NET.
#include "bridge.h"

#include <ATen/ops/from_blob.h>
#include <c10/core/ScalarType.h>

using lts::guarded;

LTS_API void lts_retain(Handle h) { c10::raw::intrusive_ptr::incref(h); }
LTS_API void lts_release(Handle h) { guarded<int>(0, [&] { c10::raw::intrusive_ptr::decref(h); return 0; }); }

LTS_API int32_t lts_dtype(Handle h) { return static_cast<int32_t>(c10::typeMetaToScalarType(h->dtype())); }
LTS_API int32_t lts_element_size(Handle h) { return static_cast<int32_t>(h->dtype().itemsize()); }
LTS_API int64_t lts_dim(Handle h) { return h->dim(); }
LTS_API int64_t lts_numel(Handle h) { return h->numel(); }
LTS_API int32_t lts_is_contiguous(Handle h) { return h->is_contiguous(); }
LTS_API int64_t lts_storage_offset(Handle h) { return h->storage_offset(); }

LTS_API void lts_sizes(Handle h, int64_t* out) {
  auto s = h->sizes();
  std::copy(s.begin(), s.end(), out);
}

LTS_API void lts_strides(Handle h, int64_t* out) {
  auto s = h->strides();
  std::copy(s.begin(), s.end(), out);
}

LTS_API void lts_device(Handle h, int32_t* type, int32_t* index) {
  auto d = h->device();
  *type = static_cast<int32_t>(d.type());
  *index = d.index();
}

// Address of the first element; null (with a text) where the tensor has no memory, such as on the meta device.
LTS_API void* lts_data(Handle h) {
  return guarded<void*>(nullptr, [&]() -> void* {
    TORCH_CHECK(h->has_storage() && h->device().is_cpu(), "the tensor has no memory that the CPU can read");
    return h->data();
  });
}

// Bytes of the whole storage, which several views may share, and its address as an identity.
LTS_API int64_t lts_storage_bytes(Handle h) { return h->has_storage() ? static_cast<int64_t>(h->storage().nbytes()) : 0; }
LTS_API void* lts_storage_data(Handle h) { return h->has_storage() ? h->storage().data() : nullptr; }

// A tensor over foreign memory. `deleter(context)` runs once, on whichever thread lets go last.
LTS_API Handle lts_from_blob(void* data, const int64_t* sizes, int32_t dims, int32_t dtype, void (*deleter)(void*), void* context) {
  return guarded<Handle>(nullptr, [&] {
    auto options = at::TensorOptions().dtype(static_cast<c10::ScalarType>(dtype));
    return lts::give(at::from_blob(data, at::IntArrayRef(sizes, dims), [deleter, context](void*) { deleter(context); }, options));
  });
}
