// The ring alone, without Node: two threads, and a peer that throws random bytes at the shared page.
// Arguments: packets of the first, rounds of the second. Status 0 when all held.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "../../native/ring.h"

namespace {

using ling::BROKEN;
using ling::MAX_PACKET;
using ling::RING_SLOTS;

#define EXPECT(condition)                                                      \
  do {                                                                         \
    if (!(condition)) {                                                        \
      std::fprintf(stderr, "line %d: %s does not hold\n", __LINE__, #condition); \
      std::exit(1);                                                            \
    }                                                                          \
  } while (false)

// No more memory than a direction has, so that a sanitizer sees every access outside of it.
struct Direction {
  ling::Ring* ring = new ling::Ring{};
  uint8_t* buffers = new uint8_t[RING_SLOTS * ling::PAGE_SIZE]();
  ~Direction() {
    delete ring;
    delete[] buffers;
  }
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

void everyPacketArrivesInOrder(uint32_t packets) {
  Direction direction;
  std::thread writing([&] {
    ling::RingWriter writer(direction.ring, direction.buffers);
    std::vector<uint8_t> packet(MAX_PACKET);
    for (uint32_t n = 0; n < packets; n++) {
      const uint32_t length = lengthOf(n);
      for (uint32_t i = 0; i < length; i++) packet[i] = byteOf(n, i);
      int written;
      while ((written = writer.write(packet.data(), length)) == 0) std::this_thread::yield();
      EXPECT(written == 1);
    }
  });

  ling::RingReader reader(direction.ring, direction.buffers);
  std::vector<uint8_t> slab(RING_SLOTS * MAX_PACKET);
  std::array<uint32_t, RING_SLOTS> lengths;
  std::minstd_rand random(7);
  for (uint32_t n = 0; n < packets;) {
    const size_t room = MAX_PACKET * (1 + random() % RING_SLOTS);
    const int most = 1 + static_cast<int>(random() % RING_SLOTS);
    const int got = reader.read(slab.data(), room, lengths.data(), most);
    EXPECT(got >= 0 && got <= most);
    if (got == 0) std::this_thread::yield();
    const uint8_t* packet = slab.data();
    for (int k = 0; k < got; k++, n++) {
      EXPECT(lengths[k] == lengthOf(n));
      for (uint32_t i = 0; i < lengths[k]; i++) EXPECT(packet[i] == byteOf(n, i));
      packet += lengths[k];
    }
  }
  EXPECT(reader.waiting() == 0);
  writing.join();
}

// What a hostile peer likes to write.
uint32_t nonsense(std::minstd_rand& random) {
  static constexpr uint32_t EDGES[] = {0, 1, 30, 31, 32, 33, 4095, 4096, 4097, 0x7fffffff, 0x80000000, 0xffffffff};
  return random() % 2 ? EDGES[random() % std::size(EDGES)] : random() * 48271u;
}

// In one thread, so that every access of the side under test is one to a value that it does not expect.
void nonsenseStaysInside(uint32_t rounds) {
  std::minstd_rand random(11);
  std::vector<uint8_t> packet(MAX_PACKET, 0x5a);
  for (uint32_t round = 0; round < rounds; round++) {
    Direction direction;
    ling::RingWriter writer(direction.ring, direction.buffers);
    ling::RingReader reader(direction.ring, direction.buffers);
    for (int step = 0; step < 40; step++) {
      switch (random() % 4) {
        case 0: __atomic_store_n(&direction.ring->head, static_cast<int32_t>(nonsense(random)), __ATOMIC_RELAXED); break;
        case 1: __atomic_store_n(&direction.ring->tail, static_cast<int32_t>(nonsense(random)), __ATOMIC_RELAXED); break;
        case 2: __atomic_store_n(&direction.ring->slots[random() % RING_SLOTS].len, nonsense(random), __ATOMIC_RELAXED); break;
        default: break;
      }
      const int room = writer.freeSlots();
      EXPECT(room == BROKEN || (room >= 0 && room < static_cast<int>(RING_SLOTS)));
      const int written = writer.write(packet.data(), 1 + random() % MAX_PACKET);
      EXPECT(written == BROKEN || written == 0 || written == 1);

      const size_t space = random() % (3 * MAX_PACKET);
      const int most = static_cast<int>(random() % (RING_SLOTS + 1));
      std::vector<uint8_t> slab(space);
      std::vector<uint32_t> lengths(most);
      const int got = reader.read(slab.data(), space, lengths.data(), most);
      EXPECT(got == BROKEN || (got >= 0 && got <= most));
      size_t sum = 0;
      for (int k = 0; k < got; k++) {
        EXPECT(lengths[k] >= 1 && lengths[k] <= MAX_PACKET);
        sum += lengths[k];
      }
      EXPECT(sum <= space);
    }
  }
}

// The same, while another thread never stops.
void nonsenseAtAnyTimeStaysInside(uint32_t rounds) {
  Direction direction;
  bool done = false;
  std::thread peer([&] {
    std::minstd_rand random(13);
    while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
      auto* words = reinterpret_cast<uint32_t*>(direction.ring);
      __atomic_store_n(&words[random() % (sizeof(ling::Ring) / 4)], nonsense(random), __ATOMIC_RELAXED);
      // Mostly indices that can be, or nothing would ever be read.
      __atomic_store_n(&words[random() % 2], random() % RING_SLOTS, __ATOMIC_RELAXED);
    }
  });
  ling::RingWriter writer(direction.ring, direction.buffers);
  ling::RingReader reader(direction.ring, direction.buffers);
  std::vector<uint8_t> packet(MAX_PACKET, 1);
  std::vector<uint8_t> slab(4 * MAX_PACKET);
  std::array<uint32_t, 31> lengths;
  for (uint32_t round = 0; round < rounds; round++) {
    writer.write(packet.data(), 1 + round % MAX_PACKET);
    const int got = reader.read(slab.data(), slab.size(), lengths.data(), 31);
    for (int k = 0; k < got; k++) EXPECT(lengths[k] >= 1 && lengths[k] <= MAX_PACKET);
  }
  __atomic_store_n(&done, true, __ATOMIC_RELAXED);
  peer.join();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto packets = static_cast<uint32_t>(std::atol(argv[1]));
  const auto rounds = static_cast<uint32_t>(std::atol(argv[2]));
  everyPacketArrivesInOrder(packets);
  nonsenseStaysInside(rounds);
  nonsenseAtAnyTimeStaysInside(rounds);
}
