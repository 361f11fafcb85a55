// The rings alone, LING's and ours, without an operating system: whatever somebody writes into the shared memory, nothing
// outside of it is touched, and no answer is one that there is not. As long as nobody does, what was written is read.
#include <vector>

#include "../../../native/packed_ring.h"
#include "expected.h"

namespace {

using namespace ling;

// No more memory than a direction has, so that the sanitizer sees every access outside of it.
struct LingDirection {
  using Writer = RingWriter;
  using Reader = RingReader;
  static constexpr size_t ROOM_FOR_ONE = MAX_PACKET;

  std::vector<Ring> ring{1};
  std::vector<uint8_t> buffers = std::vector<uint8_t>(RING_SLOTS * PAGE_SIZE);
  Writer writer{ring.data(), buffers.data()};
  Reader reader{ring.data(), buffers.data()};
  uint32_t* word(Input& input) { return reinterpret_cast<uint32_t*>(ring.data()) + input.byte() % (sizeof(Ring) / 4); }
};

struct PackedDirection {
  using Writer = PackedWriter;
  using Reader = PackedReader;
  static constexpr size_t ROOM_FOR_ONE = LARGEST_RECORD;

  std::vector<PackedRing> ring{1};
  std::vector<uint64_t> records = std::vector<uint64_t>(LEAST_RING / 8);
  uint8_t* data = reinterpret_cast<uint8_t*>(records.data());
  Writer writer{ring.data(), data, LEAST_RING};
  Reader reader{ring.data(), data, LEAST_RING};
  uint32_t* word(Input& input) {
    switch (input.byte() % 4) {
      case 0: return &ring[0].head;
      case 1: return &ring[0].tail;
      case 2: return reinterpret_cast<uint32_t*>(data) + 2 * input.byte();
      default: return reinterpret_cast<uint32_t*>(data) + input.half() % (LEAST_RING / 4);
    }
  }
};

template <typename Direction>
class Play {
 public:
  explicit Play(Input& input) : input_(input) {}

  void all() {
    while (!input_.isOver()) step();
  }

 private:
  void step() {
    switch (input_.byte() % 8) {
      case 0: return write(1 + input_.half() % MAX_PACKET, 1);
      case 1: return write(1 + input_.half() % MAX_PACKET, 1 + input_.byte());
      case 2:
      case 3: return read(input_.half() % (8 * LARGEST_RECORD), input_.byte());
      case 4: return lie();
      case 5: return askForSlots();
      case 6: {
        const int waiting = direction_.reader.waiting();
        EXPECT(waiting >= BROKEN);
        if (isHonest_) EXPECT((waiting > 0) == (expected_.waiting() > 0));
        return;
      }
      default:
        if (input_.byte() % 8 != 0) return;
        direction_.reader.hangUp();
        expected_.hangUp();
    }
  }

  void write(uint32_t length, int times) {
    for (; times > 0; times--) {
      expected_.make(packet_, length);
      const int written = direction_.writer.write(packet_, length);
      EXPECT(written >= BROKEN && written <= WRITTEN_LAST);
      // With those that were promised a packet of any size fits, and after 1 one more.
      if (isHonest_) EXPECT(written != BROKEN && (written != 0 || promised_ == 0));
      promised_ = written == 1 && promised_ < 2 ? 1 : written == 1 ? promised_ - 1 : 0;
      if (written > 0) expected_.written(length);
      else return;
    }
  }

  void read(size_t room, int most) {
    std::vector<uint8_t> slab(room);
    std::vector<Place> places(most);
    const int before = expected_.waiting();
    const int got = direction_.reader.read(slab.data(), room, places.data(), most);
    EXPECT(got >= BROKEN && got <= most);
    expectInside(places.data(), got, room);
    if (!isHonest_) return;
    EXPECT(got != BROKEN && (got > 0 || before == 0 || most == 0 || room < Direction::ROOM_FOR_ONE));
    expected_.hasRead(slab.data(), places.data(), got);
  }

  void askForSlots() {
    const int slots = direction_.writer.freeSlots();
    EXPECT(slots >= BROKEN && slots < static_cast<int>(RING_SLOTS));
    if (!isHonest_) return;
    EXPECT(slots != BROKEN);
    promised_ = std::max(promised_, slots);
  }

  void lie() {
    isHonest_ = false;
    uint32_t* word = direction_.word(input_);
    *word = input_.nonsense(*word);
  }

  Input& input_;
  Direction direction_;
  Expected expected_;
  uint8_t packet_[MAX_PACKET];
  bool isHonest_ = true;
  int promised_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  if (input.byte() % 2 == 0) Play<LingDirection>(input).all();
  else Play<PackedDirection>(input).all();
  return 0;
}
