#include "packed_tube.h"

#include <algorithm>

namespace ling {

namespace {

// Unannounced bytes with which a reader that sleeps is woken before the end of the writer's turn.
constexpr uint32_t ANNOUNCE_AT = 16 * 1024;
const SharedPages& checkSize(const SharedPages& pages, uint32_t ringSize) {
  if (!isRingSize(ringSize)) throw BadInput(std::to_string(ringSize) + " bytes are no size of a ring");
  const size_t least = 1 + 2 * size_t{ringSize} / PAGE_SIZE;
  if (pages.pages() < least) throw BadInput("a tube with such rings has " + std::to_string(least) + " pages");
  return pages;
}

ControlPage* controlOf(const SharedPages& pages) { return reinterpret_cast<ControlPage*>(pages.base()); }

PackedRing* ringOf(const SharedPages& pages, bool tx) { return tx ? &controlOf(pages)->tx : &controlOf(pages)->rx; }

uint8_t* recordsOf(const SharedPages& pages, bool tx, uint32_t ringSize) {
  return pages.base() + PAGE_SIZE + (tx ? 0 : size_t{ringSize});
}

// Asks to be rung. To be seen by the peer before whatever it does next is looked at: a fence has to follow.
void ask(uint32_t* word, uint32_t what) { __atomic_store_n(word, what, __ATOMIC_RELAXED); }

// Takes somebody's wish back, to grant it or because it is over.
bool take(uint32_t* word) {
  return __atomic_load_n(word, __ATOMIC_RELAXED) != 0 && __atomic_exchange_n(word, 0, __ATOMIC_ACQ_REL) != 0;
}

void fence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

}  // namespace

class PackedTube::Chunk {
 public:
  explicit Chunk(std::shared_ptr<SlabPool> pool) : pool_(std::move(pool)), slab_(pool_->take()) {}
  ~Chunk() { pool_->give(slab_); }
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  // Takes what there is and has room for; how many bytes that took, 0 also for nonsense.
  size_t fill(PackedReader& reader) {
    const size_t before = bytes_;
    for (Place places[AT_ONCE];;) {
      // Without what the places of these will take, and what is left out between this time and the next.
      const size_t taken = bytes_ + packets_ * sizeof(Place) + sizeof places + recordSize(0);
      isFull_ = taken + LARGEST_RECORD > SLAB_SIZE;
      if (isFull_) break;
      const int got = reader.read(slab_ + bytes_, SLAB_SIZE - taken, places, AT_ONCE);
      if (got <= 0) break;
      const size_t from = bytes_;
      for (int i = 0; i < got; i++) {
        const Place place{static_cast<uint32_t>(from) + places[i].offset, places[i].len};
        *placeOf(packets_++) = place;
        bytes_ = (place.offset + place.len + 7) & ~size_t{7};
      }
    }
    return bytes_ - before;
  }

  int read(uint8_t* out, size_t room, Place* places, int most) {
    int taken = 0;
    for (uint32_t used = 0; taken < most && !isRead() && room - used >= LARGEST_RECORD; taken++) {
      const Place place = *placeOf(read_++);
      std::memcpy(out + used, slab_ + place.offset, place.len);
      places[taken] = {used, place.len};
      used += place.len;
    }
    return taken;
  }

  bool isRead() const { return read_ == packets_; }
  bool isFull() const { return isFull_; }

 private:
  static constexpr int AT_ONCE = 512;

  Place* placeOf(size_t packet) const { return reinterpret_cast<Place*>(slab_ + SLAB_SIZE) - 1 - packet; }

  const std::shared_ptr<SlabPool> pool_;
  uint8_t* const slab_;
  // How much of the slab is in use, from its beginning.
  size_t bytes_ = 0;
  size_t packets_ = 0;
  size_t read_ = 0;
  bool isFull_ = false;
};

PackedTube::PackedTube(std::shared_ptr<Reactor> reactor, std::shared_ptr<Relief> relief, std::shared_ptr<SlabPool> slabs,
                       Side side, SharedPages pages, uint32_t ringSize, Fd awake, Fd pressure)
    : reactor_(std::move(reactor)),
      relief_(std::move(relief)),
      slabs_(std::move(slabs)),
      pages_(std::move(pages)),
      ringSize_(ringSize),
      awake_(std::move(awake)),
      pressure_(std::move(pressure)),
      outgoing_(ringOf(checkSize(pages_, ringSize), side == Side::OPENER)),
      incoming_(ringOf(pages_, side == Side::ACCEPTOR)),
      writer_(outgoing_, recordsOf(pages_, side == Side::OPENER, ringSize), ringSize),
      reader_(incoming_, recordsOf(pages_, side == Side::ACCEPTOR, ringSize), ringSize) {
  token_ = reactor_->add(awake_.get(), WatchOf::BELL);
}

PackedTube::~PackedTube() {
  if (relief_ != nullptr) relief_->let(inbox_.size() * SLAB_SIZE);
}

// ---- Sending

int PackedTube::write(const uint8_t* data, uint32_t len) {
  const int written = writer_.write(data, len);
  if (written > 0) {
    counters_.sentPackets++;
    counters_.sentBytes += len;
    unannounced_ += len;
    if (unannounced_ >= ANNOUNCE_AT) flush();
  } else if (written == 0) {
    counters_.droppedPackets++;
    flush();
  }
  if (drops_ && writer_.pastHalf() && take(&outgoing_->pressureWanted)) ring(pressure_.get());
  return written;
}

void PackedTube::flush() {
  if (unannounced_ == 0) return;
  unannounced_ = 0;
  // A reader that asks too late for this looks at the ring after that, and sees the packets.
  fence();
  if (take(&outgoing_->packetWanted)) ring(awake_.get());
}

int PackedTube::armRoom(int slots) {
  ask(&outgoing_->roomWanted, (static_cast<uint32_t>(slots) + 1) * LARGEST_RECORD);
  fence();
  return writer_.freeSlots();
}

// ---- Receiving

int PackedTube::read(uint8_t* out, size_t room, Place* places, int most) {
  // Somebody who has hung up will not look again.
  if (isHungUp_) waitForTurn();
  else if (!tryForTurn()) return 0;
  int taken = readInbox(out, room, places, most);
  if (taken == 0) taken = readRing(out, room, places, most);
  // Others may have made that room.
  if (isRefused_ && !isInboxFull()) askForRelief();
  endTurn();
  for (int i = 0; i < taken; i++) counters_.receivedBytes += places[i].len;
  if (taken > 0) counters_.receivedPackets += static_cast<uint64_t>(taken);
  return taken;
}

int PackedTube::readRing(uint8_t* out, size_t room, Place* places, int most) {
  const int taken = reader_.read(out, room, places, most);
  if (taken > 0) {
    wasPressed_ = wasPressed_ || reader_.waited() > ringSize_ / 2;
    progress_.fetch_add(1, std::memory_order_relaxed);
    tellOfRoom();
  }
  return taken;
}

int PackedTube::readInbox(uint8_t* out, size_t room, Place* places, int most) {
  int taken = 0;
  while (taken == 0 && !inbox_.empty()) {
    taken = inbox_.front()->read(out, room, places, most);
    if (!inbox_.front()->isRead()) break;
    inbox_.pop_front();
    relief_->let(SLAB_SIZE);
  }
  return taken;
}

void PackedTube::tellOfRoom() {
  fence();
  const uint32_t wanted = __atomic_load_n(&incoming_->roomWanted, __ATOMIC_RELAXED);
  if (wanted != 0 && reader_.free() >= wanted && take(&incoming_->roomWanted)) ring(awake_.get());
}

int PackedTube::armPackets() {
  // While the other one is at it there is something.
  if (!tryForTurn()) return 1;
  ask(&incoming_->packetWanted, 1);
  // With the fence between the question and the look.
  const int waiting = inbox_.empty() ? reader_.waiting() : 1;
  endTurn();
  if (waiting != 0) take(&incoming_->packetWanted);
  return waiting;
}

void PackedTube::setTakesAhead(bool takes) {
  if (relief_ == nullptr) return;
  // With the first wish, as few tubes ever have one that is granted.
  if (takes && reliefToken_ == 0) reliefToken_ = relief_->add(pressure_.get(), weak_from_this());
  waitForTurn();
  takesAhead_ = takes;
  askForRelief();
  endTurn();
}

void PackedTube::hangUp() {
  isHungUp_ = true;
  waitForTurn();
  takesAhead_ = false;
  reader_.hangUp();
  endTurn();
}

void PackedTube::close() {
  flush();
  reactor_->remove(token_);
  if (reliefToken_ != 0) relief_->remove(reliefToken_);
  for (const Fd* doorbell : {&awake_, &pressure_}) drain(doorbell->get());
}

// ---- In the place of the owner

bool PackedTube::relieve(uint32_t progress) {
  if (!tryForTurn()) return true;
  if (takesAhead_ && progress_.load(std::memory_order_relaxed) == progress) fillInbox();
  askForRelief();
  const bool again = takesAhead_ && reader_.waiting() > static_cast<int>(ringSize_ / 2) && take(&incoming_->pressureWanted);
  endTurn();
  return again;
}

void PackedTube::fillInbox() {
  // Not much more than there is by now: the owner may want its turn.
  int left = reader_.waiting();
  try {
    while (left > 0) {
      // Packets may come one by one, and must not take a slab each; nor what is left where that is no packet.
      if (inbox_.empty() || inbox_.back()->isFull()) {
        if (isInboxFull() || reader_.waiting() <= 0) break;
        inbox_.push_back(std::make_unique<Chunk>(slabs_));
        relief_->hold(SLAB_SIZE);
      }
      const size_t bytes = inbox_.back()->fill(reader_);
      if (bytes == 0 && !inbox_.back()->isFull()) break;
      left -= static_cast<int>(bytes);
    }
  } catch (const std::bad_alloc&) {
    // Then the ring is left to fill.
  }
  tellOfRoom();
}

void PackedTube::askForRelief() {
  isRefused_ = takesAhead_ && isInboxFull();
  ask(&incoming_->pressureWanted, takesAhead_ && !isRefused_ ? 1 : 0);
}

// ---- Grants

std::vector<uint32_t> readPackedGrefs(const SharedPages& pages, size_t count, bool fromTables) {
  const size_t room = fromTables ? pages.pages() * GREFS_IN_TABLE_PAGE : GREFS_IN_CONTROL_PAGE;
  if (count > room) throw BadInput("there are " + std::to_string(room) + " references");
  const uint32_t* grefs = fromTables ? reinterpret_cast<uint32_t*>(pages.base()) : controlOf(pages)->grefs;
  std::vector<uint32_t> copies(count);
  for (size_t i = 0; i < count; i++) copies[i] = __atomic_load_n(&grefs[i], __ATOMIC_RELAXED);
  return copies;
}

void writePackedGrefs(const SharedPages& pages, uint32_t ringSize, const std::vector<uint32_t>& grefs) {
  const size_t records = 2 * size_t{ringSize} / PAGE_SIZE;
  const size_t tables = tablePages(ringSize);
  if (checkSize(pages, ringSize).pages() != 1 + records + tables || grefs.size() != records + tables) {
    throw BadInput("such rings have " + std::to_string(records + tables) + " references");
  }
  const auto inControl = tables == 0 ? grefs.begin() : grefs.begin() + static_cast<ptrdiff_t>(records);
  std::copy(inControl, grefs.end(), controlOf(pages)->grefs);
  if (tables == 0) return;
  auto* table = reinterpret_cast<uint32_t*>(pages.base() + (1 + records) * PAGE_SIZE);
  std::copy(grefs.begin(), inControl, table);
}

}  // namespace ling
