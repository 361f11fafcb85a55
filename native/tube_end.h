// One end of a tube: what is common to LING's layout of the shared pages and to ours.
#pragma once

#include <cstdint>

#include "os.h"
#include "ring.h"

namespace ling {

enum class Side { ACCEPTOR, OPENER };

struct Counters {
  uint64_t sentPackets = 0;
  uint64_t sentBytes = 0;
  uint64_t droppedPackets = 0;
  uint64_t receivedPackets = 0;
  uint64_t receivedBytes = 0;
};

// All of it is for one thread.
class TubeEnd {
 public:
  virtual ~TubeEnd() = default;

  // Copies one packet of 1 to MAX_PACKET bytes in: 1 when it is written, WRITTEN_LAST when another one may not fit, 0 when
  // there is no room, which counts a drop, or BROKEN. The peer may learn of it only with the next flush().
  virtual int write(const uint8_t* data, uint32_t len) = 0;
  virtual void flush() = 0;
  // How many packets can be written now, whatever their sizes, or BROKEN; and into an empty ring.
  virtual int freeSlots() = 0;
  virtual int slots() const = 0;
  // Whether a packet that finds no room is lost: then the peer is told when there is going to be none.
  virtual void setDrops(bool) {}

  // Copies waiting packets, oldest first and each behind the one before, into `out`, until there is none, the next might
  // not fit into `room` bytes, or `most` are taken. Then tells the peer that there is room. Returns their number, or BROKEN
  // once what came before the nonsense has been handed out.
  virtual int read(uint8_t* out, size_t room, Place* places, int most) = 0;
  // Whether more than half of the ring was in use at any read since the last question.
  virtual bool wasPressed() = 0;
  // Whether packets may be taken out of the ring before they are asked for, when this thread is late.
  virtual void setTakesAhead(bool) {}
  // The peer has gone: what it had written until now can still be read, and nothing else.
  virtual void hangUp() = 0;

  // Ask to be woken when a packet comes, or there is room for so many. What they return has to be looked at before
  // sleeping: whether any wait (or BROKEN), and the free slots by now (or BROKEN).
  virtual int armPackets() = 0;
  virtual int armRoom(int slots) = 0;
  // The watches that this wakes up; they may be the same.
  virtual uint64_t packetsToken() const = 0;
  virtual uint64_t roomToken() const = 0;

  // Flushes, and lets go of the watches. Nothing else may be called afterwards but counters() and the destructor.
  virtual void close() = 0;

  const Counters& counters() const { return counters_; }

 protected:
  Counters counters_;
};

}  // namespace ling
