// Memory that packets are copied to on their way to JavaScript, used again and again: fresh memory costs a page
// fault for every 4096 bytes, which is more than the copy.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace ling {

constexpr size_t SLAB_SIZE = 128 * 1024;

class SlabPool {
 public:
  ~SlabPool() {
    for (uint8_t* slab : free_) std::free(slab);
  }

  uint8_t* take() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!free_.empty()) {
      uint8_t* slab = free_.back();
      free_.pop_back();
      return slab;
    }
    void* slab = std::malloc(SLAB_SIZE);
    if (slab == nullptr) throw std::bad_alloc();
    return static_cast<uint8_t*>(slab);
  }

  void give(uint8_t* slab) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (free_.size() < MOST_FREE) {
      free_.push_back(slab);
    } else {
      std::free(slab);
    }
  }

 private:
  static constexpr size_t MOST_FREE = 64;
  std::mutex mutex_;
  std::vector<uint8_t*> free_;
};

}  // namespace ling
