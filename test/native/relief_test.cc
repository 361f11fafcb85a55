// Tubes with packed rings and the thread that relieves late owners, without Node. An owner is a thread of its own that
// stalls now and then. Argument: how many rounds of everything. Status 0 when all held.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <malloc.h>
#include <poll.h>
#include <random>
#include <thread>
#include <vector>

#include "../../native/packed_tube.h"

namespace {

using namespace ling;

#define EXPECT(condition)                                                      \
  do {                                                                         \
    if (!(condition)) {                                                        \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);     \
      std::abort();                                                            \
    }                                                                          \
  } while (false)

// What nobody who is woken as it should be ever waits for.
constexpr int LOST_MS = 20'000;
constexpr size_t MIB = 1024 * 1024;

using Random = std::minstd_rand;

// A runtime: the loop of its owner's thread, and the thread that relieves it.
struct Runtime {
  std::shared_ptr<Reactor> reactor = std::make_shared<Reactor>([] {});
  std::shared_ptr<Relief> relief = Relief::create();
  std::shared_ptr<SlabPool> slabs = std::make_shared<SlabPool>();
  std::thread thread{[this] { relief->reactor()->run(-1); }};
  ~Runtime() {
    relief->reactor()->stop();
    thread.join();
  }

  // Until a doorbell is rung.
  void sleep() {
    pollfd rung{reactor->fd(), POLLIN, 0};
    EXPECT(::poll(&rung, 1, LOST_MS) == 1);
    reactor->poll();
    reactor->ready();
  }
};

struct Tube {
  std::shared_ptr<PackedTube> opener;
  std::shared_ptr<PackedTube> acceptor;

  Tube(const Runtime& one, const Runtime& other, uint32_t ringSize) {
    auto [pages, memory] = SharedPages::allocate(1 + 2 * ringSize / PAGE_SIZE + tablePages(ringSize));
    std::vector<PageOf> all;
    for (uint32_t i = 0; i < pages.pages(); i++) all.push_back({memory.get(), i});
    auto [awake, theirAwake] = createDoorbell();
    auto [pressure, theirPressure] = createDoorbell();
    auto mapped = SharedPages::map(all);
    opener = std::make_shared<PackedTube>(one.reactor, one.relief, one.slabs, Side::OPENER, std::move(mapped), ringSize,
                                          std::move(awake), std::move(pressure));
    acceptor = std::make_shared<PackedTube>(other.reactor, other.relief, other.slabs, Side::ACCEPTOR, std::move(pages),
                                            ringSize, std::move(theirAwake), std::move(theirPressure));
  }
};

// Packet number n: its length and every byte follow from n.
uint32_t lengthOf(uint32_t n) {
  switch (n % 7) {
    case 0: return MAX_PACKET;
    case 1: return 1;
    case 2: return 1 + n % MAX_PACKET;
    default: return 1 + n % 200;
  }
}

uint8_t byteOf(uint32_t n, uint32_t i) { return static_cast<uint8_t>(n * 31 + i * 7); }

// What one side of a tube sends: only what was written counts.
class Sender {
 public:
  explicit Sender(PackedTube& tube) : tube_(tube) {}

  // The next one: as write.
  int send() {
    const uint32_t length = lengthOf(sent);
    for (uint32_t i = 0; i < length; i++) packet_[i] = byteOf(sent, i);
    const int written = tube_.write(packet_, length);
    EXPECT(written == 0 || written == 1 || written == WRITTEN_LAST);
    if (written != 0) sent++;
    return written;
  }

  uint32_t sent = 0;

 private:
  PackedTube& tube_;
  uint8_t packet_[MAX_PACKET];
};

class Receiver {
 public:
  explicit Receiver(PackedTube& tube) : tube_(tube), slab_(SLAB_SIZE) {}

  // What there is, in one batch: how many there were.
  int receive(int most = MOST) {
    const int got = tube_.read(slab_.data(), slab_.size(), places_, most);
    EXPECT(got >= 0 && got <= most);
    for (int k = 0; k < got; k++, received++) {
      EXPECT(places_[k].len == lengthOf(received));
      EXPECT(places_[k].offset + places_[k].len <= slab_.size());
      for (uint32_t i = 0; i < places_[k].len; i++) EXPECT(slab_[places_[k].offset + i] == byteOf(received, i));
    }
    return got;
  }

  uint32_t received = 0;

 private:
  static constexpr int MOST = 512;
  PackedTube& tube_;
  std::vector<uint8_t> slab_;
  Place places_[MOST];
};

void stall(Random& random) {
  if (random() % 50 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
}

// One side that sends so many packets, receives as many, and sleeps when there is nothing to do.
void talk(Runtime& runtime, PackedTube& tube, bool drops, uint32_t packets, uint32_t seed) {
  Random random(seed);
  Sender sender(tube);
  Receiver receiver(tube);
  tube.setDrops(drops);
  tube.setTakesAhead(true);
  while (sender.sent < packets || receiver.received < packets) {
    bool isFull = false;
    for (uint32_t burst = random() % 300; burst > 0 && !isFull && sender.sent < packets; burst--) isFull = sender.send() == 0;
    tube.flush();
    const int got = receiver.receive(1 + random() % 500);
    if (random() % 20 == 0) tube.setTakesAhead(random() % 3 != 0);
    stall(random);
    if (got > 0 || (!isFull && sender.sent < packets) || receiver.received == packets) continue;
    if (tube.armPackets() == 0 && (!isFull || tube.armRoom(15) < 15)) runtime.sleep();
  }
  EXPECT(sender.sent == packets && receiver.received == packets);
  EXPECT(tube.counters().sentPackets == packets && tube.counters().receivedPackets == packets);
}

void bothWaysInOrder(bool drops, uint32_t packets) {
  Runtime one, other;
  Tube tube(one, other, LEAST_RING);
  std::thread peer([&] { talk(other, *tube.acceptor, drops, packets, 3); });
  talk(one, *tube.opener, drops, packets, 5);
  peer.join();
  tube.opener->close();
  tube.acceptor->close();
}

// Whatever the owner is at when the peer goes, or it goes itself, while packets are being taken ahead.
void endsAtAnyTime(uint32_t rounds) {
  Runtime one, other;
  Random random(11);
  for (uint32_t round = 0; round < rounds; round++) {
    Tube tube(one, other, LEAST_RING << random() % 2);
    const uint32_t packets = 1 + random() % 2000;
    uint32_t sent = 0;
    std::thread writing([&, seed = random()] {
      Random own(seed);
      Sender sender(*tube.opener);
      for (uint32_t i = 0; i < packets; i++) {
        sender.send();
        if (own() % 200 == 0) std::this_thread::sleep_for(std::chrono::microseconds(own() % 300));
      }
      tube.opener->close();
      sent = sender.sent;
    });
    PackedTube& owner = *tube.acceptor;
    Receiver receiver(owner);
    owner.setTakesAhead(true);
    const bool isCut = random() % 3 == 0;
    for (uint32_t turns = random() % 20; turns > 0; turns--) {
      receiver.receive(1 + random() % 100);
      stall(random);
      if (random() % 10 == 0) owner.setTakesAhead(random() % 2 == 0);
    }
    if (isCut) {
      owner.close();
      tube.acceptor.reset();
      writing.join();
      continue;
    }
    writing.join();
    if (random() % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
    owner.hangUp();
    if (random() % 4 == 0) owner.setTakesAhead(true);
    while (receiver.receive() > 0);
    EXPECT(receiver.received == sent);
    owner.close();
  }
}

bool within(const std::function<bool()>& condition, int milliseconds) {
  for (; milliseconds > 0; milliseconds--) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return condition();
}

// Writes so many that there is pressure; not more than a ring has room for, as one that is relieved in time never fills up,
// but the inbox does, which then is relieved no more.
void press(Sender& sender, PackedTube& tube) {
  const uint64_t enough = tube.counters().sentBytes + LEAST_RING;
  while (tube.freeSlots() > 10 && tube.counters().sentBytes < enough) sender.send();
}

// Waits until the relief has taken that out: it may have been at it before the last of it was written, and leaves what then
// is no more than half a ring. That much is free, which is one slot less than half of them: one is kept free.
bool isRelieved(PackedTube& tube, int milliseconds = LOST_MS) {
  return within([&] { return tube.freeSlots() >= tube.slots() / 2 - 1; }, milliseconds);
}

// While an owner stalls for good: all that fits into its inbox.
void relievesUpToItsMost() {
  Runtime one, other;
  Tube tube(one, other, LEAST_RING);
  tube.acceptor->setTakesAhead(true);
  Sender sender(*tube.opener);
  while (tube.opener->counters().sentBytes < 7 * MIB) {
    EXPECT(within([&] { return tube.opener->freeSlots() > 0; }, LOST_MS));
    sender.send();
  }
  // From now on without mercy.
  for (uint32_t i = 0; i < 20'000; i++) sender.send();
  EXPECT(tube.opener->counters().droppedPackets > 0);
  EXPECT(tube.opener->counters().sentBytes < 8 * MIB + 4 * LEAST_RING);
  Receiver receiver(*tube.acceptor);
  while (receiver.received < sender.sent) receiver.receive();
  // And again, once that is gone.
  press(sender, *tube.opener);
  EXPECT(isRelieved(*tube.opener));
  while (receiver.received < sender.sent) receiver.receive();
  tube.opener->close();
  tube.acceptor->close();
}

// Who reads what was taken ahead is late all the same for what is in the ring, which must not fill up meanwhile.
void knowsThatReadingItsInboxIsNoProgress() {
  Runtime one, other;
  Tube tube(one, other, LEAST_RING);
  tube.acceptor->setTakesAhead(true);
  Sender sender(*tube.opener);
  Receiver receiver(*tube.acceptor);
  const auto progresses = [&] {
    const uint32_t before = tube.acceptor->progress();
    // The relief may have its turn.
    while (receiver.receive(1) == 0);
    return tube.acceptor->progress() != before;
  };
  sender.send();
  EXPECT(progresses());
  press(sender, *tube.opener);
  EXPECT(isRelieved(*tube.opener));
  const uint32_t held = sender.sent - receiver.received;
  // The half of it at least, whatever came after the relief had looked.
  for (uint32_t i = 0; i < held / 3; i++) EXPECT(!progresses());
  while (receiver.received < sender.sent) receiver.receive();
  tube.opener->close();
  tube.acceptor->close();
}

// Others have all that a domain may hold, for a while.
void relievesAgainWhenOthersHoldLess() {
  Runtime one, other;
  Tube tube(one, other, LEAST_RING);
  tube.acceptor->setTakesAhead(true);
  Sender sender(*tube.opener);
  Receiver receiver(*tube.acceptor);
  for (int round = 0; round < 3; round++) {
    other.relief->hold(64 * MIB);
    press(sender, *tube.opener);
    EXPECT(!within([&] { return tube.opener->freeSlots() > 10; }, 20));
    other.relief->let(64 * MIB);
    while (receiver.received < sender.sent) receiver.receive();
    press(sender, *tube.opener);
    EXPECT(isRelieved(*tube.opener));
    while (receiver.received < sender.sent) receiver.receive();
  }
  tube.opener->close();
  tube.acceptor->close();
}

// Where the last packet that waits fills a slab, and it is read, no further one is held that is empty.
void holdsNothingOfWhatHasBeenRead() {
  Runtime one, other;
  Tube tube(one, other, LEAST_RING);
  // Without pressure, so that the thread leaves this to the test.
  tube.opener->setDrops(false);
  tube.acceptor->setTakesAhead(true);
  const uint8_t packet[MAX_PACKET] = {};
  for (int n = tube.opener->slots(); n > 0; n--) EXPECT(tube.opener->write(packet, MAX_PACKET) > 0);
  tube.acceptor->relieve(tube.acceptor->progress());
  EXPECT(tube.opener->freeSlots() == tube.opener->slots());
  std::vector<uint8_t> room(2 * SLAB_SIZE);
  Place places[256];
  EXPECT(tube.acceptor->read(room.data(), room.size(), places, 256) == tube.opener->slots());
  other.relief->hold(64 * MIB - 1);
  EXPECT(!other.relief->isFull());
  other.relief->let(64 * MIB - 1);
  tube.opener->close();
  tube.acceptor->close();
}

// Packets that come one by one while the thread is at it.
void holdsNoMoreMemoryThanPackets() {
  Runtime one, other;
  Tube tube(one, other, LEAST_RING);
  tube.acceptor->setTakesAhead(true);
  const uint8_t packet[64] = {};
  const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (uint32_t n = 0; n < 100'000;) {
    if (tube.opener->freeSlots() > 0 && tube.opener->write(packet, sizeof packet) > 0) n++;
    for (volatile int i = 0; i < 200;) i = i + 1;
  }
  EXPECT(mallinfo2().uordblks + mallinfo2().hblkhd < before + 16 * MIB);
  tube.opener->close();
  tube.acceptor->close();
}

// The bells of tubes are rung by their peers, who may be at it all the time.
void aPeerThatRingsKeepsNobodyElseWaiting() {
  Runtime one, other;
  Tube tube(one, other, LEAST_RING);
  const auto quiet = std::make_shared<Tube>(one, other, LEAST_RING);
  const std::pair<Fd, Fd> doorbell = createDoorbell();
  const Fd& bell = doorbell.first;
  const Fd& button = doorbell.second;
  const uint64_t token = other.relief->add(bell.get(), std::static_pointer_cast<Relieved>(quiet->acceptor));
  std::atomic<bool> over{false};
  std::thread ringing([&] {
    while (!over.load()) {
      ring(button.get());
      silence(bell.get());
    }
  });
  tube.acceptor->setTakesAhead(true);
  Sender sender(*tube.opener);
  Receiver receiver(*tube.acceptor);
  press(sender, *tube.opener);
  EXPECT(isRelieved(*tube.opener, 2000));
  over.store(true);
  ringing.join();
  while (receiver.received < sender.sent) receiver.receive();
  other.relief->remove(token);
  for (const auto& end : {tube.opener, tube.acceptor, quiet->opener, quiet->acceptor}) end->close();
}

}  // namespace

int main(int, char** argv) {
  const auto rounds = static_cast<uint32_t>(std::atoi(argv[1]));
  bothWaysInOrder(true, rounds * 100);
  bothWaysInOrder(false, rounds * 100);
  endsAtAnyTime(rounds);
  relievesUpToItsMost();
  knowsThatReadingItsInboxIsNoProgress();
  relievesAgainWhenOthersHoldLess();
  holdsNothingOfWhatHasBeenRead();
  holdsNoMoreMemoryThanPackets();
  aPeerThatRingsKeepsNobodyElseWaiting();
}
