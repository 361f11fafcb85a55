// What tubes were invented to replace: two domains, and between them the bridge of a third.
//
//     veth <bytes of a packet> <seconds of warm-up> <seconds> <packets a second> <ms blocked> <of so many ms>
//
//      domain of the sender               this one              domain of the receiver
//     packet socket - eth0 === port0 - bridge - port1 === eth0 - packet socket
//
// Three network namespaces in three OS processes, which go with them. Packets are numbered, and those that come are checked:
// one that another has overtaken is taken for lost. Up to 64 are sent and received with one system call. The receiver blocks
// while there are none; "blocked": it computes for so long of every so many ms instead. 0 packets a second: as many as can be.
//
// Says, as one line of JSON, what the sender and the receiver have seen of the time after the warm-up, in nanoseconds.
// Without arguments it says nothing: that it can be had. Otherwise, what fails is on stderr, and the status is 1.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "network.h"

namespace {

constexpr uint16_t PROTOCOL = 0x88b5;  // IEEE 802: for local experiments
constexpr uint8_t SENDER[6] = {2, 0, 0, 0, 0, 1};
constexpr uint8_t RECEIVER[6] = {2, 0, 0, 0, 0, 2};
constexpr uint32_t GROUP = 64;
// Of the receiver's socket, where the machine allows it.
constexpr int BUFFER = 1024 * 1024;
// When nothing is due, and when nothing is heard, in nanoseconds.
constexpr int64_t NAP = 200'000;
constexpr int64_t PATIENCE = 10'000'000'000;

// As bench/stream.ts has it: the number of a packet, and what it belongs to.
constexpr size_t PHASE = 4;
enum Phase : uint8_t { WARM_UP, MEASURED, END };

// What one side has seen.
struct Seen {
  int64_t packets = 0;
  int64_t elapsed = 0;
  int64_t ended = 0;
  int64_t cpu = 0;
  int64_t switches = 0;
};

struct Shared {
  std::atomic<int> inNamespace;
  std::atomic<bool> isLinked;
  std::atomic<bool> isHeard;
  std::atomic<bool> isOver;
  Seen sent;
  Seen received;
};

struct Load {
  size_t bytes;
  int64_t warmUp;
  int64_t measured;
  double rate;
  int64_t blocked;
  int64_t every;
};

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s%s%s\n", what, errno == 0 ? "" : ": ", errno == 0 ? "" : std::strerror(errno));
  std::exit(1);
}

// Nanoseconds of the clock that process.hrtime has.
int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

void nap() {
  const timespec time{0, NAP};
  nanosleep(&time, nullptr);
}

// What other processes do, and the kernel, takes a moment.
template <typename Condition>
void await(Condition condition, const char* otherwise) {
  const int64_t end = now() + PATIENCE;
  while (!condition()) {
    errno = 0;
    if (now() > end) fail(otherwise);
    nap();
  }
}

class Meter {
 public:
  void start() { read(began_); }

  Seen seen(int64_t packets) const {
    Seen end;
    read(end);
    return {packets, end.ended - began_.ended, end.ended, end.cpu - began_.cpu, end.switches - began_.switches};
  }

 private:
  static void read(Seen& at) {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    at.ended = now();
    at.cpu = nanoseconds(used.ru_utime) + nanoseconds(used.ru_stime);
    at.switches = used.ru_nvcsw + used.ru_nivcsw;
  }

  static int64_t nanoseconds(const timeval& time) { return time.tv_sec * 1'000'000'000 + time.tv_usec * 1000; }

  Seen began_;
};

// A socket on the domain's device. The kernel writes and reads the Ethernet headers.
int openSocket(sockaddr_ll& address) {
  const int socket = ::socket(AF_PACKET, SOCK_DGRAM, htons(PROTOCOL));
  if (socket < 0) fail("packet socket");
  if (setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &BUFFER, sizeof(BUFFER)) != 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &BUFFER, sizeof(BUFFER));
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(PROTOCOL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(network::DEVICE));
  if (bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fail("bind");
  return socket;
}

// Up to 64 packets for one system call.
class Group {
 public:
  explicit Group(size_t bytes)
      : packets_(GROUP, std::vector<uint8_t>(bytes, 'x')), parts_(GROUP), messages_(GROUP) {
    for (size_t i = 0; i < GROUP; i++) {
      parts_[i] = {packets_[i].data(), bytes};
      messages_[i].msg_hdr.msg_iov = &parts_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  void to(sockaddr_ll& address) {
    for (mmsghdr& message : messages_) {
      message.msg_hdr.msg_name = &address;
      message.msg_hdr.msg_namelen = sizeof(address);
    }
  }

  uint8_t* packet(size_t i) { return packets_[i].data(); }
  size_t length(size_t i) const { return messages_[i].msg_len; }
  mmsghdr* messages() { return messages_.data(); }

 private:
  std::vector<std::vector<uint8_t>> packets_;
  std::vector<iovec> parts_;
  std::vector<mmsghdr> messages_;
};

class Sender {
 public:
  Sender(const Load& load, Shared* shared) : load_(load), shared_(shared), group_(load.bytes) {
    socket_ = openSocket(to_);
    to_.sll_halen = sizeof(RECEIVER);
    std::memcpy(to_.sll_addr, RECEIVER, sizeof(RECEIVER));
    group_.to(to_);
  }

  void run() {
    // Not before the devices are up, and the bridge forwards.
    await([this] { return sendOne(WARM_UP), shared_->isHeard.load(); }, "nothing comes through");
    send(WARM_UP, load_.warmUp);
    Meter meter;
    meter.start();
    const uint32_t first = number_;
    send(MEASURED, load_.measured);
    shared_->sent = meter.seen(number_ - first);
    await([this] { return sendOne(END), shared_->isOver.load(); }, "the end does not come through");
  }

 private:
  void send(Phase phase, int64_t time) {
    const int64_t began = now();
    const uint32_t first = number_;
    for (int64_t passed = 0; passed < time; passed = now() - began) {
      const auto due = static_cast<int64_t>(load_.rate * 1e-9 * static_cast<double>(passed)) - (number_ - first);
      if (load_.rate > 0 && due <= 0) {
        nap();
      } else {
        sendGroup(phase, load_.rate > 0 ? static_cast<uint32_t>(std::min<int64_t>(GROUP, due)) : GROUP);
      }
    }
  }

  void sendOne(Phase phase) { sendGroup(phase, 1); }

  void sendGroup(Phase phase, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
      std::memcpy(group_.packet(i), &number_, sizeof(number_));
      group_.packet(i)[PHASE] = phase;
      number_++;
    }
    for (uint32_t done = 0; done < count;) {
      const int sent = sendmmsg(socket_, group_.messages() + done, count - done, 0);
      // That one has found no room on its way.
      if (sent < 0 && errno != ENOBUFS && errno != ENETDOWN) fail("sendmmsg");
      done += sent < 0 ? 1 : static_cast<uint32_t>(sent);
    }
  }

  const Load& load_;
  Shared* shared_;
  Group group_;
  sockaddr_ll to_{};
  int socket_;
  uint32_t number_ = 0;
};

class Receiver {
 public:
  // Longer packets than are expected have to show.
  Receiver(const Load& load, Shared* shared) : load_(load), shared_(shared), group_(load.bytes + 1) {
    sockaddr_ll any{};
    socket_ = openSocket(any);
  }

  void run() {
    for (int64_t next = now() + load_.every; !shared_->isOver;) {
      const int count = recvmmsg(socket_, group_.messages(), GROUP, MSG_WAITFORONE, nullptr);
      if (count < 0) fail("recvmmsg");
      for (int i = 0; i < count && !shared_->isOver; i++) take(group_.packet(i), group_.length(i));
      shared_->isHeard = true;
      if (load_.blocked == 0 || now() < next) continue;
      for (const int64_t end = now() + load_.blocked; now() < end;) continue;
      next += load_.every;
    }
  }

 private:
  void take(const uint8_t* packet, size_t length) {
    errno = 0;
    uint32_t number;
    std::memcpy(&number, packet, sizeof(number));
    const bool isWhole = length == load_.bytes && (length == PHASE + 1 || packet[length - 1] == 'x');
    if (!isWhole || packet[PHASE] > END) fail("that is not what was sent");
    if (number < expected_) return;
    expected_ = number + 1;
    if (packet[PHASE] != phase_) enter(packet[PHASE]);
    packets_++;
  }

  void enter(uint8_t phase) {
    phase_ = phase;
    if (phase == END) {
      shared_->received = meter_.seen(packets_);
      shared_->isOver = true;
    } else {
      packets_ = 0;
      meter_.start();
    }
  }

  const Load& load_;
  Shared* shared_;
  Group group_;
  Meter meter_;
  int socket_;
  uint32_t expected_ = 0;
  int64_t packets_ = 0;
  uint8_t phase_ = WARM_UP;
};

// An OS process in a network namespace of its own, which runs one of the two once it has its device.
template <typename Side>
pid_t startDomain(const Load& load, Shared* shared) {
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (unshare(CLONE_NEWNET) != 0) fail("network namespace");
  shared->inNamespace++;
  await([shared] { return shared->isLinked.load(); }, "no device");
  if (!network::putUp()) fail(network::DEVICE);
  if (load.bytes > 0) Side(load, shared).run();
  std::exit(0);
}

void link(pid_t sender, pid_t receiver, Shared* shared) {
  await([shared] { return shared->inNamespace == 2; }, "no namespace");
  if (!network::makeBridge()) fail("bridge");
  if (!network::makePair("port0", sender, SENDER) || !network::makePair("port1", receiver, RECEIVER)) fail("veth");
  shared->isLinked = true;
}

void print(const char* before, const Seen& seen, const char* after) {
  const auto number = [](int64_t value) { return static_cast<long long>(value); };
  std::printf("%s{\"packets\":%lld,\"elapsed\":%lld,\"ended\":%lld,\"cpu\":%lld,\"switches\":%lld}%s", before,
              number(seen.packets), number(seen.elapsed), number(seen.ended), number(seen.cpu), number(seen.switches), after);
}

Load parse(int argc, char** argv) {
  if (argc == 1) return {};
  if (argc != 7) fail("usage: veth bytes warm-up seconds rate blocked every");
  const auto nanoseconds = [argv](int i, double unit) { return static_cast<int64_t>(std::atof(argv[i]) * unit); };
  const auto bytes = static_cast<size_t>(std::atoi(argv[1]));
  return {bytes, nanoseconds(2, 1e9), nanoseconds(3, 1e9), std::atof(argv[4]), nanoseconds(5, 1e6), nanoseconds(6, 1e6)};
}

}  // namespace

int main(int argc, char** argv) {
  errno = 0;
  const Load load = parse(argc, argv);
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("no shared memory");
  auto* shared = new (memory) Shared{};
  if (!network::leave()) fail("network namespace");
  const pid_t receiver = startDomain<Receiver>(load, shared);
  const pid_t sender = startDomain<Sender>(load, shared);
  link(sender, receiver, shared);
  for (int i = 0; i < 2; i++) {
    int status;
    // What the one that fails has said is on stderr; the other one goes with this process.
    if (wait(&status) < 0 || status != 0) return 1;
  }
  if (load.bytes > 0) {
    print("{\"sent\":", shared->sent, ",");
    print("\"received\":", shared->received, "}\n");
  }
  return 0;
}
