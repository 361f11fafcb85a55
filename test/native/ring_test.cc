// The rings alone, LING's and ours, without Node: two threads, and a peer that throws random bytes at the shared pages.
// Arguments: packets of the first, rounds of the second. Status 0 when all held.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "../../native/packed_ring.h"
#include "../../native/ring.h"

namespace {

using ling::BROKEN;
using ling::MAX_PACKET;
using ling::RING_SLOTS;
using ling::WRITTEN_LAST;

#define EXPECT(condition)                                                      \
  do {                                                                         \
    if (!(condition)) {                                                        \
      std::fprintf(stderr, "line %d: %s does not hold\n", __LINE__, #condition); \
      std::exit(1);                                                            \
    }                                                                          \
  } while (false)

// No more memory than a direction has, so that a sanitizer sees every access outside of it.
struct LingDirection {
  using Writer = ling::RingWriter;
  using Reader = ling::RingReader;

  ling::Ring* ring = new ling::Ring{};
  uint8_t* buffers = new uint8_t[RING_SLOTS * ling::PAGE_SIZE]();
  ~LingDirection() {
    delete ring;
    delete[] buffers;
  }
  Writer writer() { return Writer(ring, buffers); }
  Reader reader() { return Reader(ring, buffers); }
  // Indices, then what else there is.
  uint32_t* word(uint32_t i) {
    if (i % 3 == 0) return reinterpret_cast<uint32_t*>(&ring->head);
    if (i % 3 == 1) return reinterpret_cast<uint32_t*>(&ring->tail);
    return &ring->slots[i % RING_SLOTS].len;
  }
  uint32_t likely(uint32_t random) { return random % RING_SLOTS; }
};

template <uint32_t SIZE>
struct PackedDirection {
  using Writer = ling::PackedWriter;
  using Reader = ling::PackedReader;

  ling::PackedRing* ring = new ling::PackedRing{};
  uint8_t* data = static_cast<uint8_t*>(std::aligned_alloc(8, SIZE));
  PackedDirection() { std::memset(data, 0, SIZE); }
  ~PackedDirection() {
    delete ring;
    std::free(data);
  }
  Writer writer() { return Writer(ring, data, SIZE); }
  Reader reader() { return Reader(ring, data, SIZE); }
  uint32_t* word(uint32_t i) {
    if (i % 3 == 0 || (IS_WATCHED && i % 3 == 2)) return &ring->head;
    if (i % 3 == 1) return &ring->tail;
    return reinterpret_cast<uint32_t*>(data) + i % (SIZE / 4);
  }
  // Small packets are copied as they are, and only then looked at: the thread sanitizer rightly calls it a race when
  // somebody writes there at the same time.
#ifdef __SANITIZE_THREAD__
  static constexpr bool IS_WATCHED = true;
#else
  static constexpr bool IS_WATCHED = false;
#endif
  // Not too far from where an honest one begins.
  uint32_t likely(uint32_t random) { return random % 64 * 8; }
};

// Packet number n: its length and every byte follow from n.
uint32_t lengthOf(uint32_t n) {
  const uint32_t mixed = n * 2654435761u;
  switch (mixed >> 30) {
    case 0: return 1;
    case 1: return MAX_PACKET - (mixed & 1);
    default: return 1 + (mixed >> 8) % 256;
  }
}

uint8_t byteOf(uint32_t n, uint32_t i) { return static_cast<uint8_t>(n * 31 + i * 7); }

template <typename Direction>
void everyPacketArrivesInOrder(uint32_t packets) {
  Direction direction;
  std::thread writing([&] {
    auto writer = direction.writer();
    std::vector<uint8_t> packet(MAX_PACKET);
    bool hasRoom = true;
    for (uint32_t n = 0; n < packets; n++) {
      const uint32_t length = lengthOf(n);
      for (uint32_t i = 0; i < length; i++) packet[i] = byteOf(n, i);
      int written;
      while ((written = writer.write(packet.data(), length)) == 0) {
        EXPECT(!hasRoom);
        std::this_thread::yield();
      }
      EXPECT(written == 1 || written == WRITTEN_LAST);
      // Only after that word may a packet of any size not fit.
      hasRoom = written == 1;
    }
  });

  auto reader = direction.reader();
  std::vector<uint8_t> slab(RING_SLOTS * ling::LARGEST_RECORD);
  std::array<ling::Place, RING_SLOTS> places;
  std::minstd_rand random(7);
  for (uint32_t n = 0; n < packets;) {
    const size_t room = ling::LARGEST_RECORD * (1 + random() % RING_SLOTS);
    const int most = 1 + static_cast<int>(random() % RING_SLOTS);
    const int got = reader.read(slab.data(), room, places.data(), most);
    EXPECT(got >= 0 && got <= most);
    if (got == 0) std::this_thread::yield();
    for (int k = 0; k < got; k++, n++) {
      EXPECT(places[k].len == lengthOf(n));
      EXPECT(places[k].offset + places[k].len <= room);
      for (uint32_t i = 0; i < places[k].len; i++) EXPECT(slab[places[k].offset + i] == byteOf(n, i));
    }
  }
  EXPECT(reader.waiting() == 0);
  writing.join();
}

// So many packets as there are free slots fit, whatever their sizes and wherever the ring is.
template <typename Direction>
void freeSlotsAreTrue(uint32_t rounds) {
  std::minstd_rand random(5);
  std::vector<uint8_t> packet(MAX_PACKET, 0x5a);
  std::vector<uint8_t> slab(RING_SLOTS * ling::LARGEST_RECORD);
  std::array<ling::Place, 1024> places;
  Direction direction;
  auto writer = direction.writer();
  auto reader = direction.reader();
  for (uint32_t round = 0; round < rounds; round++) {
    for (int slots = writer.freeSlots(); slots > 0; slots--) {
      const uint32_t length = random() % 2 ? MAX_PACKET : 1 + random() % MAX_PACKET;
      EXPECT(writer.write(packet.data(), length) > 0);
    }
    EXPECT(reader.read(slab.data(), random() % slab.size(), places.data(), places.size()) >= 0);
  }
}

// Whatever the size of the memory to read into, nothing behind it is looked at.
template <typename Direction>
void readsIntoRoomOfAnySize() {
  const std::vector<uint8_t> packet(20, 0x5a);
  std::array<ling::Place, 1024> places;
  for (size_t room = ling::LARGEST_RECORD; room < ling::LARGEST_RECORD + 64; room++) {
    Direction direction;
    auto writer = direction.writer();
    auto reader = direction.reader();
    for (uint32_t i = 0; i < 1024 && writer.freeSlots() > 0; i++) EXPECT(writer.write(packet.data(), 1 + i % 20) > 0);
    std::vector<uint8_t> slab(room);
    EXPECT(reader.read(slab.data(), room, places.data(), places.size()) > 0);
  }
}

// What a hostile peer likes to write.
uint32_t nonsense(std::minstd_rand& random) {
  static constexpr uint32_t EDGES[] = {0,    1,    7,      8,          30,         31,         32,        33,
                                       4095, 4096, 4097,   0x1fff8,    0x20000,    0x20008,    0x7fffffff, 0x80000000,
                                       0xfffffff8, 0xfffffffe, 0xffffffff};
  return random() % 2 ? EDGES[random() % std::size(EDGES)] : random() * 48271u;
}

// In one thread, so that every access of the side under test is one to a value that it does not expect.
template <typename Direction>
void nonsenseStaysInside(uint32_t rounds) {
  std::minstd_rand random(11);
  std::vector<uint8_t> packet(MAX_PACKET, 0x5a);
  for (uint32_t round = 0; round < rounds; round++) {
    Direction direction;
    auto writer = direction.writer();
    auto reader = direction.reader();
    for (int step = 0; step < 40; step++) {
      if (random() % 4 > 0) {
        const uint32_t value = random() % 2 ? nonsense(random) : direction.likely(random());
        __atomic_store_n(direction.word(random() % 5 ? random() % 64 : random()), value, __ATOMIC_RELAXED);
      }
      const int room = writer.freeSlots();
      EXPECT(room == BROKEN || (room >= 0 && room < static_cast<int>(RING_SLOTS)));
      const int written = writer.write(packet.data(), 1 + random() % MAX_PACKET);
      EXPECT(written == BROKEN || (written >= 0 && written <= WRITTEN_LAST));
      if (random() % 20 == 0) reader.hangUp();

      const size_t space = random() % (3 * MAX_PACKET);
      const int most = static_cast<int>(random() % (RING_SLOTS + 1));
      std::vector<uint8_t> slab(space);
      std::vector<ling::Place> places(most);
      const int got = reader.read(slab.data(), space, places.data(), most);
      EXPECT(got == BROKEN || (got >= 0 && got <= most));
      for (int k = 0; k < got; k++) {
        EXPECT(places[k].len >= 1 && places[k].len <= MAX_PACKET);
        EXPECT(size_t{places[k].offset} + places[k].len <= space);
      }
    }
  }
}

// The same, while another thread never stops.
template <typename Direction>
void nonsenseAtAnyTimeStaysInside(uint32_t rounds) {
  Direction direction;
  bool done = false;
  std::thread peer([&] {
    std::minstd_rand random(13);
    while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
      __atomic_store_n(direction.word(random()), nonsense(random), __ATOMIC_RELAXED);
      // Mostly indices that can be, or nothing would ever be read.
      for (int i = 0; i < 2; i++)
        __atomic_store_n(direction.word(random() % 2), direction.likely(random()), __ATOMIC_RELAXED);
    }
  });
  auto writer = direction.writer();
  auto reader = direction.reader();
  std::vector<uint8_t> packet(MAX_PACKET, 1);
  std::vector<uint8_t> slab(4 * MAX_PACKET);
  std::array<ling::Place, 31> places;
  for (uint32_t round = 0; round < rounds; round++) {
    writer.write(packet.data(), 1 + round % MAX_PACKET);
    const int got = reader.read(slab.data(), slab.size(), places.data(), 31);
    for (int k = 0; k < got; k++) EXPECT(places[k].len >= 1 && places[k].len <= MAX_PACKET);
  }
  __atomic_store_n(&done, true, __ATOMIC_RELAXED);
  peer.join();
}

template <typename Direction>
void everything(uint32_t packets, uint32_t rounds) {
  everyPacketArrivesInOrder<Direction>(packets);
  freeSlotsAreTrue<Direction>(rounds);
  readsIntoRoomOfAnySize<Direction>();
  nonsenseStaysInside<Direction>(rounds);
  nonsenseAtAnyTimeStaysInside<Direction>(rounds);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto packets = static_cast<uint32_t>(std::atol(argv[1]));
  const auto rounds = static_cast<uint32_t>(std::atol(argv[2]));
  everything<LingDirection>(packets, rounds);
  everything<PackedDirection<ling::LEAST_RING>>(packets, rounds);
}
