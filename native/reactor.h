// Waits on many descriptors with one epoll, on whatever thread calls run(), and tells the owner which of them
// want attention.
//
// Every watch has to be armed and reports once: an event on a watch that is not armed is dropped, because its
// owner is awake and will look for itself. Before it sleeps the owner arms the watch and then looks once more; an
// event in between is either seen by that look or wakes it. (Otherwise a packet is lost between the two, or a busy
// owner is woken for every packet.)
//
// A socket is watched all the time, by its edges. A doorbell that is not armed is not even looked at by the kernel:
// LING's peers ring it far more often than anybody sleeps, and no ring may wake a thread only to be dropped. A bell is
// only rung for who has asked for it by other means: every ring is an event, and there is nothing to arm. It is silenced before
// its owner, who then looks, is told; so there is always room for another ring. A timer is like it, and need not be silenced.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "os.h"

namespace ling {

enum class WatchOf { SOCKET, DOORBELL, BELL, TIMER };

struct Watch {
  Watch(int descriptor, WatchOf what) : fd(descriptor), kind(what) {}
  const int fd;
  const WatchOf kind;
  std::atomic<bool> armed{false};
};

class Reactor {
 public:
  // `notify` is called on the running thread, at most once until ready() has been called.
  explicit Reactor(std::function<void()> notify);

  // Starts watching; the token names the watch and is never used again. The descriptor stays the caller's,
  // who must remove() the watch before closing it.
  uint64_t add(int fd, WatchOf kind = WatchOf::SOCKET);
  void remove(uint64_t token);
  // Whether room to write on a socket is an event too; off at first, as on a socket every read of the peer makes one.
  void wantRoom(uint64_t token, bool want);
  void arm(uint64_t token);
  // Instead of arm() and wantRoom(): what is ready now, or will be, is an event, once; errors and hang-ups always are.
  void armFor(uint64_t token, bool input, bool room);
  // The tokens that have become ready since the last call.
  std::vector<uint64_t> ready();

  // Blocks and handles events until stop(); at once when that has been called already. Returns true, to be called
  // again, as soon as `hostLoop` (a descriptor, or -1) can be read: the thread's own event loop has something to do.
  bool run(int hostLoop);
  // Handles what is there now and returns: for an event loop that watches fd() itself.
  void poll();
  int fd() const { return epoll_.get(); }
  // From any thread; run() returns soon after.
  void stop();

  // Reactors by number: how a worker thread, which loads this addon a second time, finds the one to run.
  static uint64_t publish(const std::shared_ptr<Reactor>& reactor);
  static std::shared_ptr<Reactor> find(uint64_t number);

 private:
  // Whether the host's loop was among what there is.
  bool wait(int timeout);

  const std::function<void()> notify_;
  Fd epoll_;
  Fd control_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;  // guards all below
  std::unordered_map<uint64_t, std::shared_ptr<Watch>> watches_;
  std::vector<uint64_t> ready_;
  uint64_t lastToken_ = 0;
};

}  // namespace ling
