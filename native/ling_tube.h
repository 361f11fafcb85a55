// One end of a tube as LING lays it out: the mapped pages, a writer on one ring, a reader on the other, and a doorbell for
// each, which is rung for whoever may sleep: LING's pages do not say who does.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "reactor.h"
#include "tube_end.h"

namespace ling {

class LingTube final : public TubeEnd {
 public:
  // `sending` belongs to the ring this side writes, `receiving` to the one it reads.
  LingTube(std::shared_ptr<Reactor> reactor, Side side, SharedPages pages, Fd sending, Fd receiving);
  LingTube(const LingTube&) = delete;
  LingTube& operator=(const LingTube&) = delete;

  // The peer is woken at once when half the ring has not been announced or the ring is full, else by flush().
  int write(const uint8_t* data, uint32_t len) override;
  void flush() override;
  int freeSlots() override { return writer_.freeSlots(); }
  int slots() const override { return RING_SLOTS - 1; }
  int read(uint8_t* out, size_t room, Place* places, int most) override;
  bool wasPressed() override { return std::exchange(wasPressed_, false); }
  void hangUp() override { reader_.hangUp(); }
  int armPackets() override;
  int armRoom(int slots) override;
  uint64_t packetsToken() const override { return packetsToken_; }
  uint64_t roomToken() const override { return roomToken_; }
  void close() override;

 private:
  std::shared_ptr<Reactor> reactor_;
  SharedPages pages_;
  const Fd sending_;
  const Fd receiving_;
  RingWriter writer_;
  RingReader reader_;
  uint64_t packetsToken_ = 0;
  uint64_t roomToken_ = 0;
  uint32_t unannounced_ = 0;
  bool wasPressed_ = false;
};

// The grant references of the 64 buffers, as the accepting side left them in a ring page, copied once.
std::vector<uint32_t> readGrefs(const SharedPages& ringPage);
void writeGrefs(const SharedPages& pages, const std::vector<uint32_t>& grefs);

}  // namespace ling
