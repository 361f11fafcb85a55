// One end of a tube with somebody who keeps to the protocol; this end has done so up to here.
#pragma once

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../../native/packed_layout.h"
#include "lingd_client.h"

// What the accepting side grants as the memory of a tube.
enum class Memory { GOOD, UNSEALED, SHORT, READ_ONLY, HUGE, EVENTFD, SOCKET, DIRECTORY };

struct TubePeer {
  bool isOpener = false;
  // 0 for LING's layout.
  uint32_t ringSize = 0;
  std::string ownDirectory;
  // All of its pages, whatever was granted of them; nullptr where they are no memory.
  uint8_t* base = nullptr;
  size_t pages = 0;
  int memory = -1;
  // This end's, of the channels tx and rx.
  int doorbells[2] = {-1, -1};

  size_t bytes() const { return pages * ling::PAGE_SIZE; }
  ling::Ring* ring() const {
    auto* page = reinterpret_cast<ling::RingPage*>(base);
    return isOpener ? &page->tx : &page->rx;
  }
  ling::PackedRing* packedRing() const {
    auto* page = reinterpret_cast<ling::ControlPage*>(base);
    return isOpener ? &page->tx : &page->rx;
  }
  uint8_t* records() const { return base + ling::PAGE_SIZE + (isOpener ? 0 : ringSize); }
  void ring(int channel) const {
    ::send(doorbells[channel], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  void ringBoth() const {
    ring(0);
    ring(1);
  }
};

inline size_t pagesOf(uint32_t ringSize) {
  return ringSize == 0 ? ling::TUBE_PAGES : 1 + 2 * size_t{ringSize} / ling::PAGE_SIZE + ling::tablePages(ringSize);
}

// A descriptor, and where it is mapped if it can be.
inline void makeMemory(TubePeer& tube, Memory kind) {
  switch (kind) {
    case Memory::EVENTFD: tube.memory = eventfd(0, EFD_CLOEXEC); return;
    case Memory::SOCKET: tube.memory = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); return;
    case Memory::DIRECTORY: tube.memory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC); return;
    default: break;
  }
  const unsigned huge = kind == Memory::HUGE ? MFD_HUGETLB : 0;
  tube.memory = check(memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING | huge), "memfd_create");
  const size_t size = kind == Memory::SHORT ? ling::PAGE_SIZE : huge != 0 ? 4 << 20 : tube.bytes();
  check(ftruncate(tube.memory, static_cast<off_t>(size)), "ftruncate");
  if (kind != Memory::UNSEALED) check(fcntl(tube.memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), "seals");
  if (huge != 0) return;
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, tube.memory, 0);
  if (base == MAP_FAILED) die("mmap");
  tube.base = static_cast<uint8_t*>(base);
  if (kind == Memory::READ_ONLY) check(fcntl(tube.memory, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), "seals");
}

inline void listReferences(const TubePeer& tube, uint32_t first) {
  if (tube.base == nullptr) return;
  const size_t count = pagesOf(tube.ringSize) - 1;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t reference = first + 1 + i;
    if (tube.ringSize != 0) reinterpret_cast<ling::ControlPage*>(tube.base)->grefs[i] = reference;
    else {
      auto* page = reinterpret_cast<ling::RingPage*>(tube.base);
      (i < ling::RING_SLOTS ? page->tx : page->rx).slots[i % ling::RING_SLOTS].gref = reference;
    }
  }
}

inline TubePeer acceptTube(Lingd& lingd, uint32_t victim, const std::string& tid, uint32_t ringSize, Memory kind) {
  TubePeer tube;
  tube.ringSize = ringSize;
  tube.pages = pagesOf(ringSize);
  tube.ownDirectory = "data/tip/" + std::to_string(victim) + "/" + tid;
  const std::string nock = lingd.await(tube.ownDirectory + "/nock");
  lingd.await(nock + "/state", "2");

  makeMemory(tube, kind);
  const auto count = static_cast<uint32_t>(tube.pages);
  const Answer granted = lingd.ask(GRANT, numbers({victim, count}), {tube.memory});
  const uint32_t first = granted.isError() ? 8 : granted.number(0);
  listReferences(tube, first);
  std::string ports[2];
  for (int i = 0; i < 2; i++) {
    const Answer channel = lingd.get(ALLOC_CHANNEL, numbers({victim}));
    ports[i] = std::to_string(channel.number(0));
    tube.doorbells[i] = channel.fds.at(0);
  }
  lingd.write(tube.ownDirectory + "/ring-ref", std::to_string(first));
  lingd.write(tube.ownDirectory + "/event-channel-tx", ports[0]);
  lingd.write(tube.ownDirectory + "/event-channel-rx", ports[1]);
  if (ringSize != 0) lingd.write(tube.ownDirectory + "/ring", std::to_string(ringSize));
  lingd.write(tube.ownDirectory + "/state", "3");
  if (kind != Memory::GOOD) return tube;
  lingd.await(nock + "/state", "4");
  lingd.write(tube.ownDirectory + "/state", "4");
  return tube;
}

inline TubePeer openTube(Lingd& lingd, uint32_t me, uint32_t victim, const std::string& tid, uint32_t ringSize) {
  TubePeer tube;
  tube.isOpener = true;
  tube.ringSize = ringSize;
  tube.ownDirectory = "data/nock/" + std::to_string(victim) + "/" + tid;
  const std::string nock = "/local/domain/" + std::to_string(me) + "/" + tube.ownDirectory;
  const std::string tip = "/local/domain/" + std::to_string(victim) + "/data/tip/" + std::to_string(me) + "/" + tid;
  lingd.mkdir("data/nock");
  lingd.setPermissions("data/nock", "r" + std::to_string(me));
  lingd.mkdir(tip);
  lingd.write(nock + "/tip", tip);
  if (ringSize != 0) lingd.write(nock + "/ring", std::to_string(ringSize));
  lingd.write(nock + "/state", "2");
  lingd.write(tip + "/nock", nock);

  lingd.await(tip + "/state", "3");
  const auto number = [&](const std::string& key) {
    return static_cast<uint32_t>(std::stoul(lingd.read(tip + "/" + key)));
  };
  // The descriptor is that of all pages.
  const Answer mapped = lingd.get(MAP, numbers({victim, number("ring-ref")}));
  tube.memory = mapped.fds.at(0);
  struct stat status;
  check(fstat(tube.memory, &status), "fstat");
  tube.pages = static_cast<size_t>(status.st_size) / ling::PAGE_SIZE;
  void* base = mmap(nullptr, tube.bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, tube.memory, 0);
  if (base == MAP_FAILED) die("mmap");
  tube.base = static_cast<uint8_t*>(base);
  const std::string keys[] = {"event-channel-tx", "event-channel-rx"};
  for (int i = 0; i < 2; i++) {
    tube.doorbells[i] = lingd.get(BIND_CHANNEL, numbers({victim, number(keys[i])})).fds.at(0);
  }
  lingd.write(nock + "/state", "4");
  lingd.await(tip + "/state", "4");
  return tube;
}
