// Both ends of a tube on real shared pages, with doorbells and with who relieves a late owner, all in one thread: what was
// written is read in its order, whoever takes it out of the ring; and when somebody writes into the pages what he likes,
// nothing outside of the memory is touched, nobody waits, and nothing is left.
#include <memory>
#include <vector>

#include "../../../native/ling_tube.h"
#include "../../../native/packed_tube.h"
#include "expected.h"

namespace {

using namespace ling;

const std::shared_ptr<SlabPool> slabs = std::make_shared<SlabPool>();

struct End {
  std::shared_ptr<Reactor> reactor = std::make_shared<Reactor>([] {});
  std::shared_ptr<Relief> relief = Relief::create();
  std::shared_ptr<TubeEnd> tube;
  // The same, if it has packed rings.
  std::shared_ptr<PackedTube> packed;
  // What it is sent.
  Expected expected;
  uint64_t sent = 0;
  uint64_t dropped = 0;
  uint64_t received = 0;
};

class Play {
 public:
  explicit Play(Input& input) : input_(input), isPacked_(input.byte() % 4 != 0) {
    const size_t pages = isPacked_ ? 1 + 2 * LEAST_RING / PAGE_SIZE : TUBE_PAGES;
    auto [mine, memory] = SharedPages::allocate(pages);
    std::vector<PageOf> all;
    for (uint32_t i = 0; i < pages; i++) all.push_back({memory.get(), i});
    pages_ = std::make_unique<SharedPages>(SharedPages::map(all));
    auto [first, firstOfPeer] = createDoorbell();
    auto [second, secondOfPeer] = createDoorbell();
    SharedPages theirs = SharedPages::map(all);
    if (isPacked_) {
      open(ends_[0], Side::OPENER, std::move(mine), std::move(first), std::move(second));
      open(ends_[1], Side::ACCEPTOR, std::move(theirs), std::move(firstOfPeer), std::move(secondOfPeer));
    } else {
      ends_[0].tube = std::make_shared<LingTube>(ends_[0].reactor, Side::OPENER, std::move(mine), std::move(first), std::move(second));
      ends_[1].tube = std::make_shared<LingTube>(ends_[1].reactor, Side::ACCEPTOR, std::move(theirs), std::move(secondOfPeer), std::move(firstOfPeer));
    }
  }

  void all() {
    while (!input_.isOver()) {
      const uint8_t what = input_.byte();
      step(what >> 1, ends_[what & 1], ends_[~what & 1]);
    }
    for (End& end : ends_) {
      end.tube->close();
      const Counters& counters = end.tube->counters();
      EXPECT(counters.sentPackets == end.sent && counters.droppedPackets == end.dropped);
      EXPECT(counters.receivedPackets == end.received);
      // What it has hoarded it gives back, or others could hoard less from then on.
      end.packed.reset();
      end.tube.reset();
      EXPECT(!end.relief->isFull());
      end.relief->hold(64 * 1024 * 1024 - 1);
      EXPECT(!end.relief->isFull());
    }
  }

 private:
  static void open(End& end, Side side, SharedPages pages, Fd awake, Fd pressure) {
    end.packed = std::make_shared<PackedTube>(end.reactor, end.relief, slabs, side, std::move(pages), LEAST_RING, std::move(awake),
                                              std::move(pressure));
    end.tube = end.packed;
  }

  void step(uint8_t what, End& end, End& peer) {
    switch (what % 16) {
      case 0: return write(end, peer, 1 + input_.half() % MAX_PACKET, 1);
      case 1: return write(end, peer, 1 + input_.half() % MAX_PACKET, 1 + input_.byte());
      case 2:
      case 3: return read(end, input_.half() % (8 * LARGEST_RECORD), input_.byte());
      case 4: return end.tube->flush();
      case 5: return expectAnswer(end.tube->freeSlots(), end.tube->slots());
      case 6: return end.tube->setDrops(input_.byte() & 1);
      case 7: return end.tube->setTakesAhead(input_.byte() & 1);
      case 8: return relieve(end);
      case 9: return expectAnswer(end.tube->armPackets(), LEAST_RING);
      case 10: return expectAnswer(end.tube->armRoom(input_.byte() % end.tube->slots()), end.tube->slots());
      case 11:
        end.reactor->poll();
        EXPECT(end.reactor->ready().size() <= 2);
        return end.relief->reactor()->poll();
      case 12: return hangUp(end);
      case 13: return void(end.tube->wasPressed());
      case 14: return lie();
      default: return readGrefs();
    }
  }

  void write(End& end, End& peer, uint32_t length, int times) {
    for (; times > 0; times--) {
      peer.expected.make(packet_, length);
      const int written = end.tube->write(packet_, length);
      EXPECT(written >= BROKEN && written <= WRITTEN_LAST);
      if (isHonest_) EXPECT(written != BROKEN);
      if (written == 0) end.dropped++;
      if (written <= 0) return;
      end.sent++;
      peer.expected.written(length);
    }
  }

  void read(End& end, size_t room, int most) {
    std::vector<uint8_t> slab(room);
    std::vector<Place> places(most);
    const int before = end.expected.waiting();
    const int got = end.tube->read(slab.data(), room, places.data(), most);
    EXPECT(got >= BROKEN && got <= most);
    expectInside(places.data(), got, room);
    if (got > 0) end.received += static_cast<uint64_t>(got);
    if (!isHonest_) return;
    EXPECT(got != BROKEN && (got > 0 || before == 0 || most == 0 || room < LARGEST_RECORD));
    end.expected.hasRead(slab.data(), places.data(), got);
  }

  void relieve(End& end) {
    if (!isPacked_) return;
    // With another number the owner has been at it since, and it keeps out.
    end.packed->relieve(end.packed->progress() + input_.byte() % 2);
  }

  void hangUp(End& end) {
    if (input_.byte() % 8 != 0) return;
    end.tube->hangUp();
    end.expected.hangUp();
  }

  void expectAnswer(int answer, int most) {
    EXPECT(answer >= BROKEN && answer <= most);
    if (isHonest_) EXPECT(answer != BROKEN);
  }

  // Into the control page or the first records; not into references, which nobody reads again.
  void lie() {
    isHonest_ = false;
    auto* words = reinterpret_cast<uint32_t*>(pages_->base());
    const uint8_t where = input_.byte();
    uint32_t* word = words + (where & 1 ? input_.half() % (pages_->pages() * PAGE_SIZE / 4) : controlWord(where >> 1));
    *word = input_.nonsense(*word);
  }

  size_t controlWord(uint8_t where) const {
    static constexpr size_t PACKED[] = {0, 128, 256, 260, 384};
    const size_t direction = where & 1;
    const size_t which = where >> 1;
    if (isPacked_) return (direction * sizeof(PackedRing) + PACKED[which % 5]) / 4;
    return direction * sizeof(Ring) / 4 + which;
  }

  void readGrefs() {
    if (!isPacked_) {
      EXPECT(ling::readGrefs(*pages_).size() == 2 * RING_SLOTS);
      return;
    }
    const bool fromTables = input_.byte() & 1;
    const size_t count = input_.half();
    try {
      EXPECT(readPackedGrefs(*pages_, count, fromTables).size() == count);
    } catch (const BadInput&) {
      EXPECT(count > (fromTables ? pages_->pages() * GREFS_IN_TABLE_PAGE : GREFS_IN_CONTROL_PAGE));
    }
  }

  Input& input_;
  const bool isPacked_;
  std::unique_ptr<SharedPages> pages_;
  End ends_[2];
  uint8_t packet_[MAX_PACKET];
  bool isHonest_ = true;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  Play(input).all();
  return 0;
}
