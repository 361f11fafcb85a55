// The memory that the two ends of a tube with packed rings share. Ours, where ring_layout.h is LING's.
//
// No operating system, no Node: this header and packed_ring.h can be compiled, tested and fuzzed alone.
//
//   page 0, the control page    S bytes            S bytes            0 to 4 pages
//   +---------------------+ 0   +--------------+   +--------------+   +-----------+
//   | PackedRing tx       |     | records, tx  |   | records, rx  |   | Grefs ... |
//   +---------------------+ 512 +--------------+   +--------------+   +-----------+
//   | PackedRing rx       |
//   +---------------------+ 1024    S is a power of two, 128 KiB (as many pages as LING's tube has) to 8 MiB
//   | grefs[768]          |
//   +---------------------+ 4096
//
// tx carries packets from the opening to the accepting side, rx the other way. A direction is a ring of bytes with
// records of variable length, each at a multiple of 8 and never split across the end:
//
//   +-----+----------------+---------+     +------+----------- ~
//   | len | len bytes      | 0 to 7  |     | SKIP | up to the end of the ring
//   +-----+----------------+---------+     +------+----------- ~
//
// head and tail count bytes from the beginning of the tube, modulo 2^32: tail - head bytes are in use.
//
// Doorbells are only rung for who asks, in words that one side sets before it sleeps and the other takes back
// (exchanges for 0) when it rings. A busy side is never rung for.
//
// grefs[] has the references of the 2S / 4096 pages of records; where they are more than 768, those of the last pages of
// the accepting side, which have 1024 each and are not mapped.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ring_layout.h"

namespace ling {

constexpr size_t CACHE_LINES = 128;  // Two: they are fetched in pairs.
constexpr uint32_t LEAST_RING = 128 * 1024;
constexpr uint32_t MOST_RING = 8 * 1024 * 1024;
constexpr uint32_t SKIP = 0xffffffff;
constexpr size_t GREFS_IN_CONTROL_PAGE = 768;
constexpr size_t GREFS_IN_TABLE_PAGE = PAGE_SIZE / sizeof(uint32_t);

struct PackedRing {
  alignas(CACHE_LINES) uint32_t tail;
  alignas(CACHE_LINES) uint32_t head;
  // Set by the reader: ring when there is a packet; ring the bell for pressure when more than half is in use.
  alignas(CACHE_LINES) uint32_t packetWanted;
  uint32_t pressureWanted;
  // Set by the writer: ring when so many bytes are free.
  alignas(CACHE_LINES) uint32_t roomWanted;
};

struct ControlPage {
  PackedRing tx;
  PackedRing rx;
  uint32_t grefs[GREFS_IN_CONTROL_PAGE];
};

static_assert(offsetof(PackedRing, head) == 128);
static_assert(offsetof(PackedRing, packetWanted) == 256);
static_assert(offsetof(PackedRing, pressureWanted) == 260);
static_assert(offsetof(PackedRing, roomWanted) == 384);
static_assert(sizeof(PackedRing) == 512);
static_assert(offsetof(ControlPage, grefs) == 1024);
static_assert(sizeof(ControlPage) == PAGE_SIZE);

// What a packet takes in a ring.
constexpr uint32_t recordSize(uint32_t len) { return (len + 4 + 7) & ~uint32_t{7}; }
constexpr uint32_t LARGEST_RECORD = recordSize(MAX_PACKET);

constexpr bool isRingSize(uint32_t size) { return size >= LEAST_RING && size <= MOST_RING && (size & (size - 1)) == 0; }

constexpr size_t tablePages(uint32_t ringSize) {
  const size_t records = 2 * size_t{ringSize} / PAGE_SIZE;
  return records <= GREFS_IN_CONTROL_PAGE ? 0 : (records + GREFS_IN_TABLE_PAGE - 1) / GREFS_IN_TABLE_PAGE;
}

}  // namespace ling
