#include "ling_tube.h"

namespace ling {

namespace {

constexpr uint32_t ANNOUNCE_AT = RING_SLOTS / 2;

RingPage* ringPageOf(const SharedPages& pages) { return reinterpret_cast<RingPage*>(pages.base()); }

Ring* ringOf(const SharedPages& pages, bool tx) {
  return tx ? &ringPageOf(pages)->tx : &ringPageOf(pages)->rx;
}

uint8_t* buffersOf(const SharedPages& pages, bool tx) {
  return pages.base() + (tx ? TX_BUFFERS_PAGE : RX_BUFFERS_PAGE) * PAGE_SIZE;
}

const SharedPages& checkSize(const SharedPages& pages) {
  if (pages.pages() != TUBE_PAGES) throw BadInput("a tube has " + std::to_string(TUBE_PAGES) + " pages");
  return pages;
}

}  // namespace

LingTube::LingTube(std::shared_ptr<Reactor> reactor, Side side, SharedPages pages, Fd sending, Fd receiving)
    : reactor_(std::move(reactor)),
      pages_(std::move(pages)),
      sending_(std::move(sending)),
      receiving_(std::move(receiving)),
      writer_(ringOf(checkSize(pages_), side == Side::OPENER), buffersOf(pages_, side == Side::OPENER)),
      reader_(ringOf(pages_, side == Side::ACCEPTOR), buffersOf(pages_, side == Side::ACCEPTOR)) {
  packetsToken_ = reactor_->add(receiving_.get(), WatchOf::DOORBELL);
  try {
    roomToken_ = reactor_->add(sending_.get(), WatchOf::DOORBELL);
  } catch (...) {
    reactor_->remove(packetsToken_);
    throw;
  }
}

void LingTube::close() {
  flush();
  reactor_->remove(packetsToken_);
  reactor_->remove(roomToken_);
  for (const Fd* doorbell : {&sending_, &receiving_}) drain(doorbell->get());
}

int LingTube::write(const uint8_t* data, uint32_t len) {
  const int written = writer_.write(data, len);
  if (written > 0) {
    counters_.sentPackets++;
    counters_.sentBytes += len;
    if (++unannounced_ >= ANNOUNCE_AT) flush();
  } else if (written == 0) {
    counters_.droppedPackets++;
    flush();
  }
  return written;
}

void LingTube::flush() {
  if (unannounced_ == 0) return;
  unannounced_ = 0;
  // A reader that arms its doorbell too late to hear this looks at the ring after that, and sees the packets.
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  ring(sending_.get());
}

int LingTube::read(uint8_t* out, size_t room, Place* places, int most) {
  int taken = 0;
  for (size_t used = 0; taken < most && room - used >= MAX_PACKET;) {
    const int got = reader_.read(out + used, room - used, places + taken, most - taken);
    if (got == BROKEN && taken == 0) return BROKEN;
    if (got <= 0) break;
    const uint32_t from = static_cast<uint32_t>(used);
    for (Place* place = places + taken; place < places + taken + got; place++) {
      place->offset += from;
      used = place->offset + place->len;
      counters_.receivedBytes += place->len;
    }
    taken += got;
  }
  counters_.receivedPackets += taken;
  wasPressed_ = wasPressed_ || taken > static_cast<int>(RING_SLOTS / 2);
  if (taken > 0) ring(receiving_.get());
  return taken;
}

int LingTube::armPackets() {
  reactor_->arm(packetsToken_);
  return reader_.waiting();
}

int LingTube::armRoom(int) {
  reactor_->arm(roomToken_);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return writer_.freeSlots();
}

std::vector<uint32_t> readGrefs(const SharedPages& ringPage) {
  std::vector<uint32_t> grefs;
  for (const bool tx : {true, false}) {
    for (Slot& slot : ringOf(ringPage, tx)->slots) grefs.push_back(__atomic_load_n(&slot.gref, __ATOMIC_RELAXED));
  }
  return grefs;
}

void writeGrefs(const SharedPages& pages, const std::vector<uint32_t>& grefs) {
  if (grefs.size() != 2 * RING_SLOTS) throw BadInput("a tube has 64 buffers");
  size_t next = 0;
  for (const bool tx : {true, false}) {
    for (Slot& slot : ringOf(checkSize(pages), tx)->slots) slot.gref = grefs[next++];
  }
}

}  // namespace ling
