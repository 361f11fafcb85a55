// What one environment of JavaScript has: that of the main thread, or of a worker. It goes with it, whatever ends it.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <napi.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../os.h"
#include "../slab_pool.h"

// The descriptors that JavaScript has been given as plain numbers and has not closed. A worker that is terminated can do
// that no more, and the OS process, and with it the other ends of its pipes and sockets, may live on.
class Descriptors {
 public:
  Descriptors() = default;
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;
  ~Descriptors() {
    for (const int fd : numbers_) ::close(fd);
    for (const auto& [fd, file] : unblocked_) {
      if (file.has_value() && identify(fd) == file) ling::setNonBlocking(fd, false);
    }
  }

  int give(ling::Fd fd) {
    if (fd.get() >= 0) numbers_.insert(fd.get());
    return fd.release();
  }

  // Also one that was opened by others.
  ling::Fd take(int fd) {
    numbers_.erase(fd);
    return ling::Fd(fd);
  }

  // Of one that is not JavaScript's own it is undone in the end: others go on using it.
  bool setNonBlocking(int fd, bool on) {
    const bool before = ling::setNonBlocking(fd, on);
    if (!on) unblocked_.erase(fd);
    else if (!before && numbers_.count(fd) == 0) unblocked_[fd] = identify(fd);
    return before;
  }

 private:
  using File = std::pair<dev_t, ino_t>;

  // A number may have been given to another file meanwhile.
  static std::optional<File> identify(int fd) {
    struct stat status;
    if (fstat(fd, &status) < 0) return std::nullopt;
    return File{status.st_dev, status.st_ino};
  }

  std::unordered_set<int> numbers_;
  std::unordered_map<int, std::optional<File>> unblocked_;
};

struct Environment {
  Napi::FunctionReference sharedPages;
  std::shared_ptr<ling::SlabPool> slabs = std::make_shared<ling::SlabPool>();
  Descriptors descriptors;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

// A descriptor is JavaScript's from here on, and the other way round.
inline Napi::Number giveFd(Napi::Env env, ling::Fd fd) {
  return Napi::Number::New(env, Environment::of(env).descriptors.give(std::move(fd)));
}

inline Napi::Array giveFds(Napi::Env env, std::vector<ling::Fd>& fds) {
  auto array = Napi::Array::New(env, fds.size());
  for (uint32_t i = 0; i < fds.size(); i++) array.Set(i, giveFd(env, std::move(fds[i])));
  return array;
}

inline ling::Fd takeFd(Napi::Env env, int fd) { return Environment::of(env).descriptors.take(fd); }
