// A thread that takes packets out of rings in the place of owners whose event loop is late, so that a stall of that does
// not make a ring overflow. It sleeps until the writer of a ring that drops packets says that it is past half full, gives
// the owner a moment more, and competes with nobody who keeps up.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "reactor.h"

namespace ling {

class Relieved {
 public:
  virtual ~Relieved() = default;
  // Changes whenever the owner has taken something out of the ring itself.
  virtual uint32_t progress() const = 0;
  // Takes out what there is unless there has been progress since. False when it need not be looked at again until its bell
  // is rung.
  virtual bool relieve(uint32_t progress) = 0;
};

class Relief : public std::enable_shared_from_this<Relief> {
 public:
  static std::shared_ptr<Relief> create();

  // `bell` is rung when there is pressure. It stays the caller's, who must remove() the watch before closing it.
  uint64_t add(int bell, std::weak_ptr<Relieved> relieved);
  void remove(uint64_t token);
  // What its thread runs, and stops with.
  const std::shared_ptr<Reactor>& reactor() const { return reactor_; }

  // What all inboxes take in bytes, and whether that is enough.
  void hold(size_t bytes) { held_.fetch_add(bytes, std::memory_order_relaxed); }
  void let(size_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }
  bool isFull() const { return held_.load(std::memory_order_relaxed) >= MOST_HELD; }

 private:
  static constexpr size_t MOST_HELD = 64 * 1024 * 1024;

  explicit Relief(Fd timer) : timer_(std::move(timer)) {}
  void onReady();
  std::shared_ptr<Relieved> find(uint64_t token);

  const Fd timer_;
  std::shared_ptr<Reactor> reactor_;
  uint64_t timerToken_ = 0;
  // Under pressure, and what their owners had done by then. Only for the thread that runs this.
  std::unordered_map<uint64_t, uint32_t> pressed_;
  bool isTimed_ = false;
  std::atomic<size_t> held_{0};
  std::mutex mutex_;  // guards what is below
  std::unordered_map<uint64_t, std::weak_ptr<Relieved>> relieved_;
};

}  // namespace ling
