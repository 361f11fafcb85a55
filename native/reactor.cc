#include "reactor.h"

#include <sys/epoll.h>

namespace ling {

namespace {

constexpr uint64_t CONTROL = 0;
constexpr uint64_t HOST_LOOP = UINT64_MAX;
constexpr uint32_t READABLE = EPOLLIN | EPOLLRDHUP | EPOLLET;
constexpr uint32_t EVERY_TIME = EPOLLIN | EPOLLET;
constexpr uint32_t SILENT = EPOLLONESHOT;
constexpr uint32_t RUNG_ONCE = EPOLLIN | EPOLLONESHOT;
constexpr int EVENTS_AT_ONCE = 64;

void control(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  if (epoll_ctl(epoll, operation, fd, &event) < 0) throw OsError("epoll_ctl", errno);
}

uint32_t eventsAtFirst(WatchOf kind) {
  switch (kind) {
    case WatchOf::SOCKET: return READABLE;
    case WatchOf::DOORBELL: return SILENT;
    case WatchOf::BELL:
    case WatchOf::TIMER: return EVERY_TIME;
  }
  return 0;
}

bool isArmedFor(WatchOf kind) { return kind == WatchOf::SOCKET || kind == WatchOf::DOORBELL; }

Fd createEpoll() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw OsError("epoll_create1", errno);
  return Fd(fd);
}

// One addon can be loaded by many threads of a process; what they share is here, behind a lock.
std::mutex publishedMutex;
std::unordered_map<uint64_t, std::weak_ptr<Reactor>> published;
uint64_t lastPublished = 0;

}  // namespace

Reactor::Reactor(std::function<void()> notify)
    : notify_(std::move(notify)), epoll_(createEpoll()), control_(createFlag()) {
  // Level-triggered and never read: once stopped, every later wait returns at once.
  control(epoll_.get(), EPOLL_CTL_ADD, control_.get(), EPOLLIN, CONTROL);
}

uint64_t Reactor::add(int fd, WatchOf kind) {
  std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t token = ++lastToken_;
  watches_.emplace(token, std::make_shared<Watch>(fd, kind));
  try {
    control(epoll_.get(), EPOLL_CTL_ADD, fd, eventsAtFirst(kind), token);
  } catch (...) {
    watches_.erase(token);
    throw;
  }
  return token;
}

void Reactor::remove(uint64_t token) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = watches_.find(token);
  if (found == watches_.end()) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second->fd, nullptr);
  watches_.erase(found);
}

void Reactor::wantRoom(uint64_t token, bool want) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = watches_.find(token);
  if (found == watches_.end() || found->second->kind != WatchOf::SOCKET) return;
  control(epoll_.get(), EPOLL_CTL_MOD, found->second->fd, want ? READABLE | EPOLLOUT : READABLE, token);
}

void Reactor::arm(uint64_t token) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = watches_.find(token);
  if (found == watches_.end() || found->second->armed.exchange(true) || found->second->kind != WatchOf::DOORBELL) return;
  // What has been rung for until here is seen by the look that follows. A ring after this is an event.
  if (!silence(found->second->fd)) return;
  control(epoll_.get(), EPOLL_CTL_MOD, found->second->fd, RUNG_ONCE, token);
}

void Reactor::armFor(uint64_t token, bool input, bool room) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = watches_.find(token);
  if (found == watches_.end() || found->second->kind != WatchOf::SOCKET) return;
  found->second->armed.store(true);
  const uint32_t events = (input ? uint32_t{EPOLLIN | EPOLLRDHUP} : 0U) | (room ? uint32_t{EPOLLOUT} : 0U);
  control(epoll_.get(), EPOLL_CTL_MOD, found->second->fd, events | EPOLLONESHOT, token);
}

std::vector<uint64_t> Reactor::ready() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(ready_, {});
}

bool Reactor::run(int hostLoop) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = HOST_LOOP;
  if (hostLoop >= 0 && epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, hostLoop, &event) < 0 && errno != EEXIST) {
    throw OsError("epoll_ctl", errno);
  }
  while (!stopped_.load()) {
    if (wait(-1)) return true;
  }
  return false;
}

void Reactor::poll() { wait(0); }

void Reactor::stop() {
  stopped_.store(true);
  set(control_.get());
}

bool Reactor::wait(int timeout) {
  epoll_event events[EVENTS_AT_ONCE];
  const int count = epoll_wait(epoll_.get(), events, EVENTS_AT_ONCE, timeout);
  if (count < 0 && errno != EINTR) throw OsError("epoll_wait", errno);
  bool wake = false;
  bool isHostsTurn = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (int i = 0; i < count; i++) {
      // A copy: the events are packed, so that nothing may refer into them.
      const uint64_t token = events[i].data.u64;
      isHostsTurn = isHostsTurn || token == HOST_LOOP;
      const auto found = watches_.find(token);
      if (found == watches_.end()) continue;
      Watch& watch = *found->second;
      if (isArmedFor(watch.kind) && !watch.armed.exchange(false)) continue;
      if (watch.kind == WatchOf::BELL) silence(watch.fd);
      wake = wake || ready_.empty();
      ready_.push_back(token);
    }
  }
  if (wake) notify_();
  return isHostsTurn;
}

uint64_t Reactor::publish(const std::shared_ptr<Reactor>& reactor) {
  std::lock_guard<std::mutex> lock(publishedMutex);
  for (auto entry = published.begin(); entry != published.end();) {
    entry = entry->second.expired() ? published.erase(entry) : std::next(entry);
  }
  published.emplace(++lastPublished, reactor);
  return lastPublished;
}

std::shared_ptr<Reactor> Reactor::find(uint64_t number) {
  std::lock_guard<std::mutex> lock(publishedMutex);
  const auto found = published.find(number);
  return found == published.end() ? nullptr : found->second.lock();
}

}  // namespace ling
