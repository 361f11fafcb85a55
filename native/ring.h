// One direction of a tube: a single writer and a single reader in two processes that do not trust each other.
//
// Each side keeps its own index in private memory and only publishes it: the peer can overwrite the shared
// copy, and must not gain anything by it. The other side's index and every length are read once, checked,
// then used. A value that cannot be is answered with BROKEN, and the caller closes the tube.
#pragma once

#include <cstring>

#include "ring_layout.h"

namespace ling {

constexpr int BROKEN = -1;

// A packet in memory that many have been read into.
struct Place {
  uint32_t offset;
  uint32_t len;
};

// Written, and there is no room for another packet.
constexpr int WRITTEN_LAST = 2;

inline uint32_t nextSlot(uint32_t index) { return (index + 1) % RING_SLOTS; }

class RingWriter {
 public:
  RingWriter(Ring* ring, uint8_t* buffers) : ring_(ring), buffers_(buffers) {}

  // How many packets can be written now, 0 to 31, or BROKEN.
  int freeSlots() const {
    const int32_t head = __atomic_load_n(&ring_->head, __ATOMIC_ACQUIRE);
    if (head < 0 || head >= static_cast<int32_t>(RING_SLOTS)) return BROKEN;
    const uint32_t used = (tail_ - static_cast<uint32_t>(head)) % RING_SLOTS;
    return static_cast<int>(RING_SLOTS - 1 - used);
  }

  // Copies one packet of 1 to MAX_PACKET bytes in: 1 or WRITTEN_LAST when it is written, 0 when the ring is full, or BROKEN.
  int write(const uint8_t* data, uint32_t len) {
    // The reader's index is on a cache line that both sides write: it is only looked at when there is no room left
    // by the last look.
    if (room_ == 0) {
      const int room = freeSlots();
      if (room <= 0) return room;
      room_ = room;
    }
    std::memcpy(buffers_ + size_t{tail_} * PAGE_SIZE, data, len);
    __atomic_store_n(&ring_->slots[tail_].len, len, __ATOMIC_RELAXED);
    tail_ = nextSlot(tail_);
    room_--;
    // Release: whoever sees the new tail sees the packet. The doorbell is rung after a full fence.
    __atomic_store_n(&ring_->tail, static_cast<int32_t>(tail_), __ATOMIC_RELEASE);
    if (room_ > 0) return 1;
    const int room = freeSlots();
    room_ = room > 0 ? room : 0;
    return room > 0 ? 1 : room == 0 ? WRITTEN_LAST : BROKEN;
  }

 private:
  Ring* ring_;
  uint8_t* buffers_;
  uint32_t tail_ = 0;
  int room_ = 0;
};

class RingReader {
 public:
  RingReader(Ring* ring, const uint8_t* buffers) : ring_(ring), buffers_(buffers) {}

  // How many packets wait, 0 to 31, or BROKEN. A full fence comes first: what the writer did before it
  // looked at anything this side has published before the call is seen.
  int waiting() const {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    const int32_t tail = isHungUp_ ? lastTail_ : __atomic_load_n(&ring_->tail, __ATOMIC_ACQUIRE);
    if (tail < 0 || tail >= static_cast<int32_t>(RING_SLOTS)) return BROKEN;
    return static_cast<int>((static_cast<uint32_t>(tail) - head_) % RING_SLOTS);
  }

  // The writer has gone: what it has published until now is all there is.
  void hangUp() {
    lastTail_ = __atomic_load_n(&ring_->tail, __ATOMIC_ACQUIRE);
    isHungUp_ = true;
  }

  // Copies waiting packets, oldest first, into `out`, until the ring is empty, the next might not fit into `room` bytes, or
  // `most` are taken. Returns their number. A broken slot is BROKEN, but only once the packets before it have been handed
  // out.
  int read(uint8_t* out, size_t room, Place* places, int most) {
    int ready = waiting();
    if (ready <= 0) return ready;
    if (ready > most) ready = most;
    int taken = 0;
    for (uint32_t used = 0; taken < ready && room - used >= MAX_PACKET; taken++) {
      const uint32_t len = __atomic_load_n(&ring_->slots[head_].len, __ATOMIC_RELAXED);
      if (len == 0 || len > MAX_PACKET) {
        if (taken == 0) return BROKEN;
        break;
      }
      std::memcpy(out + used, buffers_ + size_t{head_} * PAGE_SIZE, len);
      places[taken] = {used, len};
      used += len;
      head_ = nextSlot(head_);
    }
    // Release: the writer may reuse the slots once it sees the new head, and not before they were copied.
    __atomic_store_n(&ring_->head, static_cast<int32_t>(head_), __ATOMIC_RELEASE);
    return taken;
  }

 private:
  Ring* ring_;
  const uint8_t* buffers_;
  uint32_t head_ = 0;
  bool isHungUp_ = false;
  int32_t lastTail_ = 0;
};

}  // namespace ling
