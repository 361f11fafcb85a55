// The memory that the two ends of a tube share, as LING lays it out.
//
// No operating system, no Node: this header and ring.h can be compiled, tested and fuzzed alone.
//
//   page 0, the ring page            pages 1..32            pages 33..64
//   +-------------------+ 0          +---------------+      +---------------+
//   | Ring tx           |            | buffer of     |      | buffer of     |
//   |   head, tail      |  slot i -> | tx slot i     |      | rx slot i     |
//   |   slots[32]       |            | 4096 bytes    |      | 4096 bytes    |
//   +-------------------+ 264        +---------------+      +---------------+
//   | Ring rx           |
//   +-------------------+ 528
//
// tx carries packets from the opening to the accepting side, rx the other way. The accepting side allocates
// and grants every page, and writes the grant reference of each buffer into its slot; the opening side reads
// those once to map them.
//
//   head == tail         empty            the writer owns tail, the reader owns head
//   next(tail) == head   full             so 31 packets fit
#pragma once

#include <cstddef>
#include <cstdint>

namespace ling {

constexpr size_t PAGE_SIZE = 4096;
constexpr uint32_t RING_SLOTS = 32;
constexpr uint32_t MAX_PACKET = PAGE_SIZE;
constexpr size_t TX_BUFFERS_PAGE = 1;
constexpr size_t RX_BUFFERS_PAGE = TX_BUFFERS_PAGE + RING_SLOTS;
constexpr size_t TUBE_PAGES = RX_BUFFERS_PAGE + RING_SLOTS;

struct Slot {
  uint32_t len;
  uint32_t gref;
};

struct Ring {
  int32_t head;
  int32_t tail;
  Slot slots[RING_SLOTS];
};

struct RingPage {
  Ring tx;
  Ring rx;
};

static_assert(sizeof(Slot) == 8);
static_assert(sizeof(Ring) == 264);
static_assert(offsetof(Ring, slots) == 8);
static_assert(offsetof(RingPage, rx) == 264);
static_assert(sizeof(RingPage) <= PAGE_SIZE);
static_assert(TUBE_PAGES == 65);

}  // namespace ling
