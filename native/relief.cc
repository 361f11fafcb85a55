#include "relief.h"

#include <sys/timerfd.h>
#include <utility>

namespace ling {

namespace {

// What an owner that keeps up takes for a turn of its event loop; with packets of 64 bytes at two million a second half a
// ring of 128 KiB is filled in 450 microseconds.
constexpr itimerspec PATIENCE{{0, 0}, {0, 100'000}};

Fd createTimer() {
  const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (fd < 0) throw OsError("timerfd_create", errno);
  return Fd(fd);
}

}  // namespace

std::shared_ptr<Relief> Relief::create() {
  const std::shared_ptr<Relief> relief(new Relief(createTimer()));
  relief->reactor_ = std::make_shared<Reactor>([weak = std::weak_ptr<Relief>(relief)] {
    if (const auto self = weak.lock()) self->onReady();
  });
  relief->timerToken_ = relief->reactor_->add(relief->timer_.get(), WatchOf::TIMER);
  return relief;
}

uint64_t Relief::add(int bell, std::weak_ptr<Relieved> relieved) {
  std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t token = reactor_->add(bell, WatchOf::DOORBELL);
  relieved_.emplace(token, std::move(relieved));
  reactor_->arm(token);
  return token;
}

void Relief::remove(uint64_t token) {
  reactor_->remove(token);
  std::lock_guard<std::mutex> lock(mutex_);
  relieved_.erase(token);
}

void Relief::onReady() {
  for (const uint64_t token : reactor_->ready()) {
    if (token == timerToken_) {
      isTimed_ = false;
      for (const auto& [pressed, progress] : std::exchange(pressed_, {})) {
        // Not before: a peer that rings without end is heard once in that time.
        reactor_->arm(pressed);
        const auto relieved = find(pressed);
        if (relieved != nullptr && relieved->relieve(progress)) pressed_.emplace(pressed, relieved->progress());
      }
    } else if (const auto relieved = find(token)) {
      pressed_.emplace(token, relieved->progress());
    }
  }
  // Not anew with every bell: who has waited before is not kept waiting by others.
  if (pressed_.empty() || isTimed_) return;
  isTimed_ = true;
  timerfd_settime(timer_.get(), 0, &PATIENCE, nullptr);
}

std::shared_ptr<Relieved> Relief::find(uint64_t token) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = relieved_.find(token);
  return found == relieved_.end() ? nullptr : found->second.lock();
}

}  // namespace ling
