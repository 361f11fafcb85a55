// What a hostile peer does, by name.
#pragma once

#include <chrono>
#include <functional>
#include <map>

#include "lingd_client.h"
#include "tube_peer.h"

// Says what it has done, as often as it likes: the numbers are for who reads a failed test.
class Attack {
 public:
  explicit Attack(long milliseconds) : end_(std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds)) {}

  bool isOn() {
    count_++;
    return std::chrono::steady_clock::now() < end_;
  }
  uint64_t count() const { return count_; }

  uint32_t random() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<uint32_t>(random_ >> 16);
  }
  std::string randomBytes(size_t length) {
    std::string bytes;
    while (bytes.size() < length) bytes += numbers({random()});
    bytes.resize(length);
    return bytes;
  }

 private:
  const std::chrono::steady_clock::time_point end_;
  uint64_t count_ = 0;
  uint64_t random_ = 0x9e3779b97f4a7c15;
};

// On the one with whom there is a tube. They return when the attack is over.
using OnTube = std::function<void(Attack&, Lingd&, TubePeer&)>;
const std::map<std::string, OnTube>& attacksOnTubes();

// On lingd, as a domain that it has let in, who knows the paths of its sockets: that of domains, that of domain 0.
using OnLingd = std::function<void(Attack&, Lingd&, const std::string& domains, const std::string& tools)>;
const std::map<std::string, OnLingd>& attacksOnLingd();
