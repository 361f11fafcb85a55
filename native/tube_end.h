// One end of a tube: the mapped pages, a writer on one ring, a reader on the other, and a doorbell for each.
#pragma once

#include <memory>

#include "os.h"
#include "reactor.h"
#include "ring.h"

namespace ling {

enum class Side { ACCEPTOR, OPENER };

// An event channel as one side holds it.
struct Doorbell {
  Fd kick;  // rung to wake the peer
  Fd wait;  // rung by the peer
};

struct Counters {
  uint64_t sentPackets = 0;
  uint64_t sentBytes = 0;
  uint64_t droppedPackets = 0;
  uint64_t receivedPackets = 0;
  uint64_t receivedBytes = 0;
};

class TubeEnd {
 public:
  // `sending` belongs to the ring this side writes, `receiving` to the one it reads.
  TubeEnd(std::shared_ptr<Reactor> reactor, Side side, SharedPages pages, Doorbell sending, Doorbell receiving);
  ~TubeEnd();
  TubeEnd(const TubeEnd&) = delete;
  TubeEnd& operator=(const TubeEnd&) = delete;

  // As RingWriter::write; a full ring counts a drop. The peer is woken at once when half the ring has not
  // been announced or the ring is full, else by flush().
  int write(const uint8_t* data, uint32_t len);
  void flush();
  int freeSlots() const { return writer_.freeSlots(); }
  // As RingReader::read, but goes on until the ring is empty or an argument's bound is reached; then tells the
  // writer that there is room.
  int read(uint8_t* out, size_t room, uint32_t* lengths, int most);

  // Rings for the peer no more: it is gone, and may have left doorbells that keep who rings them waiting for ever.
  void mute() { muted_ = true; }

  // Ask to be woken when a packet comes or room appears. What they return has to be looked at before sleeping:
  // the packets that wait, and the free slots, by now (or BROKEN).
  int armPackets();
  int armRoom();
  uint64_t packetsToken() const { return packetsToken_; }
  uint64_t roomToken() const { return roomToken_; }

  const Counters& counters() const { return counters_; }

 private:
  std::shared_ptr<Reactor> reactor_;
  SharedPages pages_;
  Doorbell sending_;
  Doorbell receiving_;
  RingWriter writer_;
  RingReader reader_;
  uint64_t packetsToken_ = 0;
  uint64_t roomToken_ = 0;
  uint32_t unannounced_ = 0;
  bool muted_ = false;
  Counters counters_;
};

// The grant references of the 64 buffers, as the accepting side left them in a ring page, copied once.
std::vector<uint32_t> readGrefs(const SharedPages& ringPage);
void writeGrefs(const SharedPages& pages, const std::vector<uint32_t>& grefs);

}  // namespace ling
