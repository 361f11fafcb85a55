// What has been written into one direction of a tube, and has to be read as long as nobody else has written there.
#pragma once

#include <cstring>
#include <deque>

#include "../../../native/ring.h"
#include "input.h"

class Expected {
 public:
  // The next packet to write, of that length, made into `packet`.
  void make(uint8_t* packet, uint32_t length) const {
    for (uint32_t i = 0; i < length; i++) packet[i] = byteOf(written_, i);
  }
  void written(uint32_t length) {
    lengths_.push_back(length);
    written_++;
  }

  void hasRead(const uint8_t* slab, const ling::Place* places, int count) {
    EXPECT(count <= waiting());
    for (int k = 0; k < count; k++, read_++) {
      EXPECT(places[k].len == lengths_.front());
      for (uint32_t i = 0; i < places[k].len; i++) EXPECT(slab[places[k].offset + i] == byteOf(read_, i));
      lengths_.pop_front();
    }
  }

  // From now on nothing that is written is seen.
  void hangUp() { last_ = written_; }
  int waiting() const { return static_cast<int>((last_ < written_ ? last_ : written_) - read_); }

 private:
  static uint8_t byteOf(uint32_t n, uint32_t i) { return static_cast<uint8_t>(n * 31 + i * 7); }

  std::deque<uint32_t> lengths_;
  uint32_t written_ = 0;
  uint32_t read_ = 0;
  uint32_t last_ = 0xffffffff;
};

// What was read lies in the memory that there was for it, one behind the other.
inline void expectInside(const ling::Place* places, int count, size_t room) {
  size_t end = 0;
  for (int k = 0; k < count; k++) {
    EXPECT(places[k].len >= 1 && places[k].len <= ling::MAX_PACKET);
    EXPECT(places[k].offset >= end);
    end = size_t{places[k].offset} + places[k].len;
    EXPECT(end <= room);
  }
}
