// One direction of a tube with packed rings: see packed_layout.h. As in ring.h, each side keeps its own index in private
// memory and only publishes it, and what the other side has written is read once, checked, then used. A value that cannot
// be is answered with BROKEN, and the caller closes the tube.
#pragma once

#include <algorithm>
#include <cstring>

#include "packed_layout.h"
#include "ring.h"

namespace ling {

class PackedWriter {
 public:
  PackedWriter(PackedRing* ring, uint8_t* data, uint32_t size) : ring_(ring), data_(data), size_(size) {}

  // As RingWriter::write; WRITTEN_LAST when one of the largest size may not fit.
  int write(const uint8_t* packet, uint32_t len) {
    const uint32_t record = recordSize(len);
    uint32_t at = tail_ & (size_ - 1);
    const uint32_t pad = size_ - at < record ? size_ - at : 0;
    if (room_ < pad + record) {
      if (!look()) return BROKEN;
      if (room_ < pad + record) return 0;
    }
    if (pad != 0) {
      store(at, SKIP);
      at = 0;
    }
    std::memcpy(data_ + at + sizeof(uint32_t), packet, len);
    store(at, len);
    tail_ += pad + record;
    room_ -= pad + record;
    // Release: whoever sees the new tail sees the packet. The doorbell is rung after a full fence.
    __atomic_store_n(&ring_->tail, tail_, __ATOMIC_RELEASE);
    if (!pastHalf_ || room_ >= FOR_ANY_PACKET) return 1;
    if (!look()) return BROKEN;
    return room_ < FOR_ANY_PACKET ? WRITTEN_LAST : 1;
  }

  // How many packets can be written now, whatever their sizes, or BROKEN.
  int freeSlots() {
    if (!look()) return BROKEN;
    return static_cast<int>(free_ < FOR_ANY_PACKET ? 0 : (free_ - LARGEST_RECORD) / LARGEST_RECORD);
  }

  // Whether more than half was in use at the last look at the reader's index.
  bool pastHalf() const { return pastHalf_; }

 private:
  // What a packet can take with the rest of the ring before it.
  static constexpr uint32_t FOR_ANY_PACKET = 2 * LARGEST_RECORD;

  // The reader's index is on a cache line that both sides write: it is only looked at when there is no room left by the
  // last look, or when half of the ring is in use by that, as somebody may want to hear of it.
  bool look() {
    const uint32_t used = tail_ - __atomic_load_n(&ring_->head, __ATOMIC_ACQUIRE);
    if (used > size_ || used % 8 != 0) return false;
    free_ = size_ - used;
    pastHalf_ = free_ < size_ / 2 + FOR_ANY_PACKET;
    room_ = pastHalf_ ? free_ : free_ - size_ / 2;
    return true;
  }

  void store(uint32_t at, uint32_t len) {
    __atomic_store_n(reinterpret_cast<uint32_t*>(data_ + at), len, __ATOMIC_RELAXED);
  }

  PackedRing* ring_;
  uint8_t* data_;
  const uint32_t size_;
  uint32_t tail_ = 0;
  // Bytes that can be written before the next look.
  uint32_t room_ = 0;
  // As of the last look.
  uint32_t free_ = 0;
  bool pastHalf_ = false;
};

class PackedReader {
 public:
  PackedReader(PackedRing* ring, const uint8_t* data, uint32_t size) : ring_(ring), data_(data), size_(size) {}

  // How many bytes wait, or BROKEN. A full fence comes first: what the writer did before it looked at anything this side
  // has published before the call is seen.
  int waiting() const {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    const uint32_t used = (isHungUp_ ? lastTail_ : __atomic_load_n(&ring_->tail, __ATOMIC_ACQUIRE)) - head_;
    return used > size_ || used % 8 != 0 ? BROKEN : static_cast<int>(used);
  }

  // Bytes that waited at the last read that found any.
  uint32_t waited() const { return waited_; }

  // Bytes that are free for the writer, as far as this side knows.
  uint32_t free() const {
    const int used = waiting();
    return used == BROKEN ? size_ : size_ - static_cast<uint32_t>(used);
  }

  // The writer has gone: what it has published until now is all there is.
  void hangUp() {
    lastTail_ = __atomic_load_n(&ring_->tail, __ATOMIC_ACQUIRE);
    isHungUp_ = true;
  }

  // As RingReader::read, but that small packets lie as they do in the ring, at multiples of 8 and 4 bytes.
  int read(uint8_t* out, size_t room, Place* places, int most) {
    const int ready = waiting();
    if (ready <= 0) return ready;
    waited_ = left_ = static_cast<uint32_t>(ready);
    int taken = 0;
    for (size_t used = 0; taken < most && left_ > 0 && room - used >= LARGEST_RECORD;) {
      const uint32_t at = head_ & (size_ - 1);
      const uint32_t len = __atomic_load_n(reinterpret_cast<const uint32_t*>(data_ + at), __ATOMIC_RELAXED);
      const int more = len == SKIP    ? skip(size_ - at)
                       : len >= LARGE ? readLarge(out, used, at, len, places + taken)
                                      : readSmall(out, used, at, room, places + taken, most - taken);
      if (more == BROKEN) {
        if (taken == 0) return BROKEN;
        break;
      }
      taken += more;
      // Now and then within a batch, so that a writer that waits need not wait for all of it.
      publish();
    }
    return taken;
  }

 private:
  // From how many bytes on a packet is worth a copy of its own.
  static constexpr uint32_t LARGE = 512;
  static constexpr uint32_t SMALL_AT_ONCE = 8 * 1024;

  int skip(uint32_t toEnd) {
    if (toEnd > left_) return BROKEN;
    head_ += toEnd;
    left_ -= toEnd;
    return 0;
  }

  int readLarge(uint8_t* out, size_t& used, uint32_t at, uint32_t len, Place* place) {
    if (len > MAX_PACKET || recordSize(len) > left_ || recordSize(len) > size_ - at) return BROKEN;
    std::memcpy(out + used, data_ + at + sizeof(uint32_t), len);
    *place = {static_cast<uint32_t>(used), len};
    used += recordSize(len);
    head_ += recordSize(len);
    left_ -= recordSize(len);
    return 1;
  }

  // Copies many at once, and looks at their lengths in the copy: neither costs as much as a copy for each.
  int readSmall(uint8_t* out, size_t& used, uint32_t at, size_t room, Place* places, int most) {
    const size_t wanted = std::min<size_t>(static_cast<size_t>(most) * recordSize(LARGE), SMALL_AT_ONCE);
    // A multiple of 8, as is all of it but the room: then behind a record there is a whole length, or nothing.
    const uint32_t bytes = std::min({left_, size_ - at, static_cast<uint32_t>(std::min(room - used, wanted)) & ~uint32_t{7}});
    std::memcpy(out + used, data_ + at, bytes);
    int taken = 0;
    uint32_t read = 0;
    while (taken < most && read < bytes) {
      uint32_t len;
      std::memcpy(&len, out + used + read, sizeof(len));
      // Those are for another look, which then is the first.
      if (len >= LARGE || recordSize(len) > bytes - read) break;
      if (len == 0) break;
      places[taken++] = {static_cast<uint32_t>(used) + read + static_cast<uint32_t>(sizeof(len)), len};
      read += recordSize(len);
    }
    if (taken == 0) return BROKEN;
    used += read;
    head_ += read;
    left_ -= read;
    return taken;
  }

  // Release: the writer may reuse the bytes once it sees the new head, and not before they were copied.
  void publish() { __atomic_store_n(&ring_->head, head_, __ATOMIC_RELEASE); }

  PackedRing* ring_;
  const uint8_t* data_;
  const uint32_t size_;
  uint32_t head_ = 0;
  // What waits, during a read.
  uint32_t left_ = 0;
  uint32_t waited_ = 0;
  bool isHungUp_ = false;
  uint32_t lastTail_ = 0;
};

}  // namespace ling
