// What the machine can do at best: the ring of a tube, its two ends plain C++ in two OS processes, both of which spin.
//
//     limit <bytes of a packet> <bytes of the ring> <seconds of warm-up> <seconds>
//
// Packets are numbered and checked. Says what there was after the warm-up as one line of JSON: packets a second, and for each
// packet nanoseconds of CPU time and context switches of both sides (those of the warm-up, too, which spins likewise).
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "packed_ring.h"

namespace {

// After so many packets the clock is looked at.
constexpr uint32_t GROUP = 1024;
constexpr int MOST_AT_ONCE = 1024;
// What comes last has this number.
constexpr uint32_t END = 0xffffffff;

struct Shared {
  ling::PackedRing ring;
  alignas(ling::PAGE_SIZE) uint8_t data[];
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Between two looks at a ring: some microseconds, as two that look all the time fall into step, and pass each packet's cache
// lines to and fro. Where the other side has no core it gets this one.
class Spin {
 public:
  void again() {
    if (++looks_ % BEFORE_YIELD == 0) sched_yield();
    for (int i = 0; i < PAUSES; i++) {
#if defined(__x86_64__) || defined(__i386__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("yield");
#endif
    }
  }

 private:
  static constexpr uint32_t BEFORE_YIELD = 250;
  static constexpr int PAUSES = 200;
  uint32_t looks_ = 0;
};

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "limit: %s\n", what);
  std::exit(1);
}

void send(ling::PackedWriter& writer, std::vector<uint8_t>& packet, uint32_t number) {
  std::memcpy(packet.data(), &number, sizeof(number));
  for (Spin spin;; spin.again()) {
    const int written = writer.write(packet.data(), static_cast<uint32_t>(packet.size()));
    if (written == ling::BROKEN) fail("the writer found a broken ring");
    if (written != 0) return;
  }
}

void sendAll(Shared* shared, uint32_t ringSize, uint32_t bytes, double seconds) {
  ling::PackedWriter writer(&shared->ring, shared->data, ringSize);
  std::vector<uint8_t> packet(bytes, 'x');
  uint32_t number = 0;
  for (const double end = now() + seconds; now() < end;) {
    for (uint32_t i = 0; i < GROUP; i++) send(writer, packet, number++);
  }
  send(writer, packet, END);
}

struct Received {
  double perSecond;
  // With those of the warm-up.
  uint32_t packets;
};

Received receiveAll(Shared* shared, uint32_t ringSize, uint32_t bytes, double warmUp) {
  ling::PackedReader reader(&shared->ring, shared->data, ringSize);
  std::vector<uint8_t> slab(ringSize + ling::LARGEST_RECORD);
  std::vector<ling::Place> places(MOST_AT_ONCE);
  uint32_t expected = 0;
  uint64_t counted = 0;
  double began = 0;
  const double start = now();
  for (Spin spin;;) {
    const int taken = reader.read(slab.data(), slab.size(), places.data(), MOST_AT_ONCE);
    if (taken == ling::BROKEN) fail("the reader found a broken ring");
    if (taken == 0) {
      spin.again();
      continue;
    }
    for (int i = 0; i < taken; i++) {
      uint32_t number;
      std::memcpy(&number, slab.data() + places[i].offset, sizeof(number));
      if (number == END) return {static_cast<double>(counted) / (now() - began), expected};
      if (number != expected++ || places[i].len != bytes) fail("that is not what was sent");
    }
    if (began > 0) {
      counted += static_cast<uint64_t>(taken);
    } else if (now() - start > warmUp) {
      began = now();
    }
  }
}

double seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; }

// Nanoseconds of CPU time, and context switches.
struct Used {
  double cpu = 0;
  double switches = 0;

  void add(int who) {
    rusage usage{};
    getrusage(who, &usage);
    cpu += (seconds(usage.ru_utime) + seconds(usage.ru_stime)) * 1e9;
    switches += static_cast<double>(usage.ru_nvcsw + usage.ru_nivcsw);
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) fail("usage: limit bytes ring warm-up seconds");
  const auto bytes = static_cast<uint32_t>(std::atoi(argv[1]));
  const auto ringSize = static_cast<uint32_t>(std::atoi(argv[2]));
  const double warmUp = std::atof(argv[3]);
  const double measured = std::atof(argv[4]);
  const size_t size = sizeof(Shared) + ringSize;
  const int fd = memfd_create("limit", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, static_cast<off_t>(size)) != 0) fail("no shared memory");
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) fail("no shared memory");
  auto* shared = static_cast<Shared*>(memory);
  const pid_t sender = fork();
  if (sender < 0) fail("no second OS process");
  if (sender == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sendAll(shared, ringSize, bytes, warmUp + measured);
    return 0;
  }
  const Received received = receiveAll(shared, ringSize, bytes, warmUp);
  if (waitpid(sender, nullptr, 0) != sender) fail("the sender has gone astray");
  Used used;
  used.add(RUSAGE_SELF);
  used.add(RUSAGE_CHILDREN);
  std::printf("{\"packets\":%.0f,\"cpu\":%.3f,\"switches\":%.9f}\n", received.perSecond, used.cpu / received.packets,
              used.switches / received.packets);
  return 0;
}
