// One end of a tube with packed rings.
//
// Packets are taken out by the owner's thread, which looks by itself as long as it is awake. When it is late, and the ring
// past half full, the thread of the Relief takes them out in its place, into an inbox that the owner reads first.
//
//     peer --> ring --+--------------------> owner
//                     +--> relief --> inbox --^
//
// Only who has the turn may take anything out. It is tried for and never waited for: who does not get it has nothing to
// do, as the other one is at it.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include <sched.h>

#include "packed_ring.h"
#include "reactor.h"
#include "relief.h"
#include "slab_pool.h"
#include "tube_end.h"

namespace ling {

class PackedTube final : public TubeEnd, public Relieved, public std::enable_shared_from_this<PackedTube> {
 public:
  // `pages` begin as packed_layout.h has them; `ringSize` is that of each direction. The doorbell `awake` is rung for the
  // owner's thread, `pressure` for the relief's, if there is one. Throws BadInput for a size that is none.
  PackedTube(std::shared_ptr<Reactor> reactor, std::shared_ptr<Relief> relief, std::shared_ptr<SlabPool> slabs, Side side,
             SharedPages pages, uint32_t ringSize, Fd awake, Fd pressure);
  ~PackedTube() override;
  PackedTube(const PackedTube&) = delete;
  PackedTube& operator=(const PackedTube&) = delete;

  // ---- For the owner's thread

  int write(const uint8_t* data, uint32_t len) override;
  void flush() override;
  int freeSlots() override { return writer_.freeSlots(); }
  int slots() const override { return static_cast<int>((ringSize_ - LARGEST_RECORD) / LARGEST_RECORD); }
  void setDrops(bool drops) override { drops_ = drops; }
  // Answers 0 also while the relief has its turn.
  int read(uint8_t* out, size_t room, Place* places, int most) override;
  bool wasPressed() override { return std::exchange(wasPressed_, false); }
  void setTakesAhead(bool takes) override;
  void hangUp() override;
  int armPackets() override;
  int armRoom(int slots) override;
  uint64_t packetsToken() const override { return token_; }
  uint64_t roomToken() const override { return token_; }
  void close() override;

  // ---- For the relief's

  uint32_t progress() const override { return progress_.load(std::memory_order_relaxed); }
  bool relieve(uint32_t progress) override;

 private:
  // Packets in a slab: the bytes from its beginning, the places from its end.
  class Chunk;

  bool tryForTurn() { return !turn_.exchange(true, std::memory_order_acquire); }
  // For as long as the relief may have it, which is for a ring of packets.
  void waitForTurn() {
    while (!tryForTurn()) sched_yield();
  }
  void endTurn() { turn_.store(false, std::memory_order_release); }
  int readRing(uint8_t* out, size_t room, Place* places, int most);
  int readInbox(uint8_t* out, size_t room, Place* places, int most);
  void fillInbox();
  bool isInboxFull() const { return inbox_.size() * SLAB_SIZE >= MOST_IN_INBOX || relief_->isFull(); }
  void askForRelief();
  void tellOfRoom();

  // What one tube may have in its inbox.
  static constexpr size_t MOST_IN_INBOX = 8 * 1024 * 1024;

  const std::shared_ptr<Reactor> reactor_;
  const std::shared_ptr<Relief> relief_;
  const std::shared_ptr<SlabPool> slabs_;
  const SharedPages pages_;
  const uint32_t ringSize_;
  const Fd awake_;
  const Fd pressure_;
  PackedRing* const outgoing_;
  PackedRing* const incoming_;
  PackedWriter writer_;
  uint64_t token_ = 0;
  uint64_t reliefToken_ = 0;
  uint32_t unannounced_ = 0;
  bool drops_ = true;
  bool isHungUp_ = false;
  bool wasPressed_ = false;

  std::atomic<bool> turn_{false};
  // How often the owner has taken something out of the ring, so that it can be seen to be late.
  std::atomic<uint32_t> progress_{0};
  // For who has the turn, all below.
  PackedReader reader_;
  bool takesAhead_ = false;
  // The peer has not been asked to say when there is pressure, as there is no room for what it sends.
  bool isRefused_ = false;
  std::deque<std::unique_ptr<Chunk>> inbox_;
};

// The grant references in a control page, or in the pages that list them where that has no room, as the accepting side
// left them, copied once.
std::vector<uint32_t> readPackedGrefs(const SharedPages& pages, size_t count, bool fromTables);
// Those of all pages but the first.
void writePackedGrefs(const SharedPages& pages, uint32_t ringSize, const std::vector<uint32_t>& grefs);

}  // namespace ling
