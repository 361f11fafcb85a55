// What libFuzzer has made up, byte by byte; zeros when it is over.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#define EXPECT(condition)                                                        \
  do {                                                                           \
    if (!(condition)) {                                                          \
      std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                              \
    }                                                                            \
  } while (false)

class Input {
 public:
  Input(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}

  bool isOver() const { return at_ == end_; }
  uint8_t byte() { return isOver() ? 0 : *at_++; }
  uint16_t half() {
    const uint32_t low = byte();
    return static_cast<uint16_t>(low | uint32_t{byte()} << 8);
  }
  uint32_t word() {
    const uint32_t low = half();
    return low | uint32_t{half()} << 16;
  }

  // What a peer writes that is no friend: near what it has been, at an edge, or whatever.
  uint32_t nonsense(uint32_t before) {
    static constexpr uint32_t EDGES[] = {0,       1,       7,          8,          30,         31,        32,   33,  4095, 4096, 4097,
                                         0x1fff8, 0x20000, 0x20008, 0x7fffffff, 0x80000000, 0xfffffff8, 0xfffffffe, 0xffffffff};
    switch (byte() % 4) {
      case 0: return word();
      case 1: return before + 8 * half();
      case 2: return before - byte();
      default: return EDGES[byte() % (sizeof EDGES / sizeof *EDGES)];
    }
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};
