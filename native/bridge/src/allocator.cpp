// The CPU allocator of tensors. Big blocks come from mmap and are kept for reuse, up to a bound: a fixed one, or as much as brings the
// whole back to what was in use at once a little while ago. The latter costs no memory beyond that peak, and spares a training step, which
// builds up activations and drops them again and again, from faulting in every page anew.
//
// Why: a forward pass makes and drops temporaries of several MiB per operator. malloc either returns each to the system,
// and then page faults cost several times more than the arithmetic, or keeps them all, and then resident memory never
// falls. A bounded cache has neither problem. Huge pages make the first touch of a fresh block cheaper still.
//
// LLMSHEARING_CACHE_MB sets the fixed bound (0 turns the cache off).
#include "bridge.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <list>
#include <map>
#include <mutex>
#include <unordered_map>

namespace {

constexpr size_t kBig = size_t{1} << 20;       // below, malloc is good at it
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kAlignment = 64;              // what ATen's vector code and OpenBLAS like

class CachingAllocator final : public at::Allocator {
 public:
  CachingAllocator() {
    const char* text = std::getenv("LLMSHEARING_CACHE_MB");
    if (text != nullptr) {
      bound_ = static_cast<size_t>(std::strtoull(text, nullptr, 10)) << 20;
    } else {
      const size_t memory = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
      bound_ = std::min(size_t{256} << 20, memory / 16);
    }
  }

  at::DataPtr allocate(size_t bytes) const override {
    void* p = bytes == 0 ? nullptr : bytes < kBig ? small(bytes) : const_cast<CachingAllocator*>(this)->big(bytes);
    return {p, p, &release, at::Device(at::DeviceType::CPU)};
  }

  at::DeleterFnPtr raw_deleter() const override { return &release; }

  static CachingAllocator& instance() {
    static auto* allocator = new CachingAllocator();  // outlives every tensor
    return *allocator;
  }

  size_t cached() {
    std::lock_guard<std::mutex> lock(mutex_);
    return cached_;
  }

  void trim() {
    std::lock_guard<std::mutex> lock(mutex_);
    peak_ = in_use_;
    evict(bound_);
  }

 private:
  struct Block {
    void* data;
    size_t size;
  };
  using Age = std::list<Block>;

  static void* small(size_t bytes) {
    void* p = nullptr;
    if (posix_memalign(&p, kAlignment, bytes) != 0) out_of_memory(bytes);
    return p;
  }

  [[noreturn]] static void out_of_memory(size_t bytes) {
    TORCH_CHECK(false, "not enough memory: a tensor of ", bytes, " bytes could not be allocated");
  }

  // Sizes in steps of a sixteenth of themselves, so that slightly different requests share blocks.
  static size_t rounded(size_t bytes) {
    size_t step = size_t{1} << 16;
    while (step * 16 < bytes) step *= 2;
    return (bytes + step - 1) / step * step;
  }

  void* big(size_t bytes) {
    const size_t size = rounded(bytes);
    std::lock_guard<std::mutex> lock(mutex_);
    auto fit = free_.lower_bound(size);
    if (fit != free_.end() && fit->first <= size + size / 4) {
      const Block block = *fit->second;
      age_.erase(fit->second);
      free_.erase(fit);
      cached_ -= block.size;
      add(block.data, block.size);
      return block.data;
    }
    // What is kept may not fit this size: then it must not add to the peak.
    evict(allowed(size));
    void* p = map(size);
    if (p == nullptr) {
      evict(0);
      p = map(size);
      if (p == nullptr) out_of_memory(bytes);
    }
    add(p, size);
    return p;
  }

  void add(void* p, size_t size) {
    live_.emplace(p, size);
    in_use_ += size;
    // The peak fades over some ten thousand blocks: a few steps of training, which reach it again each time.
    peak_ = peak_ > in_use_ ? peak_ - (peak_ - in_use_) / 16384 : in_use_;
  }

  // Bytes that may be kept when `more` bytes come into use.
  size_t allowed(size_t more) const {
    if (bound_ == 0) return 0;
    return std::max(bound_, peak_ > in_use_ + more ? peak_ - in_use_ - more : 0);
  }

  static void* map(size_t size) {
    if (size < 2 * kHugePage) {
      void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      return p == MAP_FAILED ? nullptr : p;
    }
    // Aligned to huge pages: map one more and give the ends back.
    const size_t whole = size + kHugePage;
    void* p = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return nullptr;
    const auto start = reinterpret_cast<uintptr_t>(p);
    const auto aligned = (start + kHugePage - 1) / kHugePage * kHugePage;
    if (aligned > start) munmap(p, aligned - start);
    if (start + whole > aligned + size) munmap(reinterpret_cast<void*>(aligned + size), start + whole - aligned - size);
    madvise(reinterpret_cast<void*>(aligned), size, MADV_HUGEPAGE);
    return reinterpret_cast<void*>(aligned);
  }

  // Runs from tensor destructors, on any thread.
  static void release(void* p) {
    if (p == nullptr) return;
    // Big blocks are page aligned; a small one may be by chance, and is then not in the table.
    if ((reinterpret_cast<uintptr_t>(p) & 4095) == 0 && instance().keep(p)) return;
    std::free(p);
  }

  bool keep(void* p) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = live_.find(p);
    if (found == live_.end()) return false;
    const size_t size = found->second;
    live_.erase(found);
    in_use_ -= size;
    if (size > allowed(0) / 2) {
      munmap(p, size);
      return true;
    }
    age_.push_back({p, size});
    free_.emplace(size, std::prev(age_.end()));
    cached_ += size;
    evict(allowed(0));
    return true;
  }

  void evict(size_t bound) {
    while (cached_ > bound) {
      const auto oldest = age_.begin();
      auto range = free_.equal_range(oldest->size);
      for (auto i = range.first; i != range.second; ++i) {
        if (i->second == oldest) {
          free_.erase(i);
          break;
        }
      }
      munmap(oldest->data, oldest->size);
      cached_ -= oldest->size;
      age_.erase(oldest);
    }
  }

  std::mutex mutex_;
  std::unordered_map<void*, size_t> live_;
  std::multimap<size_t, Age::iterator> free_;
  Age age_;  // oldest first
  size_t cached_ = 0;
  size_t in_use_ = 0;
  size_t peak_ = 0;
  size_t bound_;
};

// Before any tensor exists; the higher priority keeps later registrations of libraries out.
const bool registered = [] {
  c10::SetCPUAllocator(&CachingAllocator::instance(), /*priority=*/100);
  return true;
}();

}  // namespace

LTS_API int64_t lts_cached_bytes() { return static_cast<int64_t>(CachingAllocator::instance().cached()); }

// Back to the fixed bound, and the peak forgotten.
LTS_API void lts_trim_cache() { CachingAllocator::instance().trim(); }
