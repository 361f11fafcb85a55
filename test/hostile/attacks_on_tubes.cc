#include "attacks.h"

namespace {

void scribble(Attack& attack, uint8_t* from, size_t bytes) {
  auto* word = reinterpret_cast<uint32_t*>(from) + attack.random() % (bytes / sizeof(uint32_t));
  __atomic_store_n(word, attack.random(), __ATOMIC_RELAXED);
}

// Rings now and then, so that the other side looks.
void scribbleAll(Attack& attack, TubePeer& tube, size_t bytes) {
  while (attack.isOn()) {
    for (int i = 0; i < 1000; i++) scribble(attack, tube.base, bytes);
    tube.ringBoth();
  }
}

void pages(Attack& attack, Lingd&, TubePeer& tube) { scribbleAll(attack, tube, tube.bytes()); }

void control(Attack& attack, Lingd&, TubePeer& tube) { scribbleAll(attack, tube, ling::PAGE_SIZE); }

// The indices are those of somebody who writes packets, and what they lead to is anything.
void records(Attack& attack, Lingd&, TubePeer& tube) {
  uint32_t tail = 0;
  while (attack.isOn()) {
    if (tube.ringSize == 0) {
      ling::Ring* ring = tube.ring();
      __atomic_store_n(&ring->slots[tail].len, attack.random(), __ATOMIC_RELAXED);
      tail = (tail + 1) % ling::RING_SLOTS;
      __atomic_store_n(&ring->tail, static_cast<int32_t>(tail), __ATOMIC_RELEASE);
    } else {
      for (int i = 0; i < 100; i++) scribble(attack, tube.records(), tube.ringSize);
      ling::PackedRing* ring = tube.packedRing();
      const uint32_t used = tail - __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
      if (used + 256 > tube.ringSize) continue;
      tail += 8 * (1 + attack.random() % 32);
      __atomic_store_n(&ring->tail, tail, __ATOMIC_RELEASE);
    }
    tube.ringBoth();
  }
}

void bells(Attack& attack, Lingd&, TubePeer& tube) {
  while (attack.isOn()) tube.ring(tube.isOpener ? 1 : 0), tube.ring(tube.isOpener ? 0 : 1);
}

// For the thread that takes packets out when the owner is late: it is not.
void pressure(Attack& attack, Lingd&, TubePeer& tube) {
  while (attack.isOn()) tube.ring(1);
}

// What can be done to a socket from its other end, so that who rings it would wait, or fail: filled, with descriptors too, and
// at last not to be rung any more.
void doorbells(Attack& attack, Lingd&, TubePeer& tube) {
  const std::string much(1 + attack.random() % 65'536, 'x');
  const auto fill = [&] {
    for (const int doorbell : tube.doorbells) {
      for (const std::vector<int>& fds : {std::vector<int>{doorbell, tube.memory}, std::vector<int>{}}) {
        while (attack.isOn() && sendBytes(doorbell, much, fds)) continue;
      }
    }
  };
  while (attack.isOn() && attack.count() < 100) {
    fill();
    usleep(1000);
  }
  for (const int doorbell : tube.doorbells) {
    check(fcntl(doorbell, F_SETFL, fcntl(doorbell, F_GETFL) & ~O_NONBLOCK), "O_NONBLOCK");
    check(shutdown(doorbell, attack.random() % 2 == 0 ? SHUT_RD : SHUT_RDWR), "shutdown");
  }
  while (attack.isOn()) usleep(1000);
}

// Descriptors whose closing can make wait who closes them last: the first of each doorbell is heard, and others when it is closed.
void lingerers(Attack& attack, Lingd&, TubePeer& tube) {
  while (attack.isOn() && attack.count() < 20) {
    for (const int doorbell : tube.doorbells) {
      const int lingers = lingerer();
      sendBytes(doorbell, "x", {lingers});
      close(lingers);
    }
  }
}

void deaf(Attack& attack, Lingd&, TubePeer&) {
  while (attack.isOn()) usleep(1000);
}

// Asks to be woken all the time, for everything.
void wishes(Attack& attack, Lingd&, TubePeer& tube) {
  auto* page = reinterpret_cast<ling::ControlPage*>(tube.base);
  while (attack.isOn()) {
    for (ling::PackedRing* ring : {&page->tx, &page->rx}) {
      __atomic_store_n(&ring->packetWanted, attack.random(), __ATOMIC_RELAXED);
      __atomic_store_n(&ring->pressureWanted, attack.random(), __ATOMIC_RELAXED);
      __atomic_store_n(&ring->roomWanted, attack.random() % 64, __ATOMIC_RELAXED);
    }
  }
}

// Takes away what the other side has mapped, as far as it is let.
void memory(Attack& attack, Lingd&, TubePeer& tube) {
  const auto size = static_cast<off_t>(tube.bytes());
  int resized = 0;
  while (attack.isOn()) {
    for (const off_t other : {off_t{0}, size / 2, size * 2}) resized += ftruncate(tube.memory, other) == 0;
    fallocate(tube.memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size);
    fallocate(tube.memory, FALLOC_FL_ZERO_RANGE, 0, size);
    fcntl(tube.memory, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_FUTURE_WRITE);
    tube.ringBoth();
  }
  if (resized == 0) return;
  fprintf(stderr, "hostile: the memory could be resized\n");
  exit(1);
}

// Says again and again what it has said.
void state(Attack& attack, Lingd& lingd, TubePeer& tube) {
  while (attack.isOn()) lingd.ask(XS_WRITE, tube.ownDirectory + "/state" + '\0' + "4");
}

}  // namespace

const std::map<std::string, OnTube>& attacksOnTubes() {
  static const std::map<std::string, OnTube> all = {
      {"pages", pages},       {"control", control}, {"records", records}, {"bells", bells}, {"pressure", pressure},
      {"deaf", deaf},  {"doorbells", doorbells},         {"wishes", wishes},   {"lingerers", lingerers},   {"memory", memory},   {"state", state},
  };
  return all;
}
