#include "os.h"

#include <cstddef>
#include <cstring>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ring_layout.h"

namespace ling {

OsError::OsError(const char* call, int err, const std::string& subject)
    : std::runtime_error(std::string(call) + (subject.empty() ? "" : " " + subject) + ": " + std::strerror(err)),
      syscall(call),
      error(err) {}

namespace {

constexpr int SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr uint32_t HUGETLBFS = 0x958458f6;

int check(int result, const char* syscall, const std::string& subject = "") {
  if (result < 0) throw OsError(syscall, errno, subject);
  return result;
}

void* checkMap(void* address) {
  if (address == MAP_FAILED) throw OsError("mmap", errno);
  return address;
}

// A mapping of those is rounded up, over whatever lies behind it, and touching it can raise SIGBUS.
bool hasHugePages(int fd) {
  struct statfs system;
  check(fstatfs(fd, &system), "fstatfs");
  return static_cast<uint32_t>(system.f_type) == HUGETLBFS;
}

sockaddr_un addressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    throw BadInput("socket path is longer than the " + std::to_string(sizeof(address.sun_path) - 1) +
                   " bytes that Unix sockets allow: " + path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

}  // namespace

std::pair<SharedPages, Fd> SharedPages::allocate(size_t pages) {
  Fd fd(check(memfd_create("ling-tube", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create"));
  const size_t size = pages * PAGE_SIZE;
  check(ftruncate(fd.get(), static_cast<off_t>(size)), "ftruncate");
  check(fcntl(fd.get(), F_ADD_SEALS, SEALS), "fcntl");
  void* base = checkMap(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
  return {SharedPages(static_cast<uint8_t*>(base), pages), std::move(fd)};
}

SharedPages SharedPages::map(const std::vector<PageOf>& pages) {
  if (pages.empty()) throw BadInput("no pages to map");
  // Address space first, the pages over it: one mapping per run of neighbours, and whatever fails, the
  // destructor gives back the whole range.
  void* range = checkMap(mmap(nullptr, pages.size() * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  SharedPages mapped(static_cast<uint8_t*>(range), pages.size());
  for (size_t first = 0; first < pages.size();) {
    const int fd = pages[first].fd;
    size_t end = first + 1;
    while (end < pages.size() && pages[end].fd == fd && uint64_t{pages[end].page} == uint64_t{pages[end - 1].page} + 1) {
      end++;
    }

    const int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) throw BadInput("granted memory is not sealed against shrinking");
    if (hasHugePages(fd)) throw BadInput("granted memory has huge pages");
    struct stat status;
    check(fstat(fd, &status), "fstat");
    if ((uint64_t{pages[end - 1].page} + 1) * PAGE_SIZE > static_cast<uint64_t>(status.st_size)) {
      throw BadInput("granted page " + std::to_string(pages[end - 1].page) + " is beyond the end of its memory");
    }
    checkMap(mmap(mapped.base_ + first * PAGE_SIZE, (end - first) * PAGE_SIZE, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(uint64_t{pages[first].page} * PAGE_SIZE)));
    first = end;
  }
  return mapped;
}

SharedPages::~SharedPages() {
  if (base_ != nullptr) munmap(base_, pages_ * PAGE_SIZE);
}

bool isMemory(int fd) { return fcntl(fd, F_GET_SEALS) >= 0 && !hasHugePages(fd); }

Fd duplicate(int fd) { return Fd(check(fcntl(fd, F_DUPFD_CLOEXEC, 3), "fcntl")); }

std::pair<Fd, Fd> createPipe() {
  int ends[2];
  check(pipe2(ends, O_CLOEXEC), "pipe2");
  return {Fd(ends[0]), Fd(ends[1])};
}

bool setNonBlocking(int fd, bool on) {
  const int flags = check(fcntl(fd, F_GETFL), "fcntl");
  check(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK), "fcntl");
  return (flags & O_NONBLOCK) != 0;
}

Fd createFlag() { return Fd(check(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")); }

void set(int flag) {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(flag, &one, sizeof one);
}

std::pair<Fd, Fd> createDoorbell() {
  int ends[2];
  check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), "socketpair");
  return {Fd(ends[0]), Fd(ends[1])};
}

void ring(int doorbell) {
  // EAGAIN means hundreds of rings that nobody has read: the waiter is woken already.
  [[maybe_unused]] const ssize_t sent = ::send(doorbell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

namespace {

// What the kernel lets one message carry (SCM_MAX_FD). It would close itself what there is no room for.
constexpr size_t MOST_FDS_OF_ANYBODY = 253;

// As recvmsg. Whoever has sent a descriptor may have made a socket of it that waits when it is closed last.
ssize_t receive(int socket, uint8_t* into, size_t room, std::vector<Fd>& fds, bool& isCut) {
  iovec part{into, room};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * MOST_FDS_OF_ANYBODY)];
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return got;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
      const linger none{};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    }
  }
  isCut = (message.msg_flags & MSG_CTRUNC) != 0;
  return got;
}

}  // namespace

bool silence(int doorbell) {
  // More than whoever rings for its own side only can have sent.
  uint8_t rings[4096];
  std::vector<Fd> unwanted;
  bool isCut = false;
  return receive(doorbell, rings, sizeof rings, unwanted, isCut) != 0;
}

void drain(int socket) {
  shutdown(socket, SHUT_RD);
  uint8_t unread[4096];
  bool isCut = false;
  for (ssize_t got = 1; got > 0;) {
    std::vector<Fd> unwanted;
    got = receive(socket, unread, sizeof unread, unwanted, isCut);
  }
}

Fd listenUnix(const std::string& path) {
  const sockaddr_un address = addressOf(path);
  Fd fd(check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
  check(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind", path);
  check(chmod(path.c_str(), 0600), "chmod", path);
  check(listen(fd.get(), SOMAXCONN), "listen", path);
  return fd;
}

Fd connectUnix(const std::string& path) {
  const sockaddr_un address = addressOf(path);
  Fd fd(check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
  check(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect", path);
  return fd;
}

namespace {

int socketOption(int fd, int option) {
  int value = 0;
  socklen_t len = sizeof value;
  if (getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0) return value;
  if (errno == ENOTSOCK) throw BadInput("is no socket");
  throw OsError("getsockopt", errno);
}

}  // namespace

std::string adoptListener(int fd) {
  if (socketOption(fd, SO_DOMAIN) != AF_UNIX) throw BadInput("is no Unix socket");
  if (socketOption(fd, SO_TYPE) != SOCK_STREAM) throw BadInput("is no stream socket");
  if (socketOption(fd, SO_ACCEPTCONN) == 0) throw BadInput("does not listen");
  sockaddr_un address{};
  socklen_t len = sizeof address;
  check(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &len), "getsockname");
  if (len <= offsetof(sockaddr_un, sun_path) || address.sun_path[0] == 0) throw BadInput("is bound to no path");
  setNonBlocking(fd, true);
  check(fcntl(fd, F_SETFD, FD_CLOEXEC), "fcntl");
  // The longest there is has no zero behind it.
  return {address.sun_path, strnlen(address.sun_path, len - offsetof(sockaddr_un, sun_path))};
}

Fd acceptUnix(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) return Fd(fd);
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return Fd();
  throw OsError("accept4", errno);
}

Credentials peerCredentials(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  check(getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size), "getsockopt");
  return {peer.uid, peer.gid, peer.pid};
}

Fd openProcess(pid_t pid) { return Fd(check(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)), "pidfd_open")); }

size_t sendWithFds(int socket, const uint8_t* data, size_t len, const std::vector<int>& fds) {
  if (fds.size() > MAX_FDS_PER_MESSAGE) throw BadInput("too many descriptors for one message");
  iovec part{const_cast<uint8_t*>(data), len};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * MAX_FDS_PER_MESSAGE)] = {};
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  for (;;) {
    const ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<size_t>(sent);
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) throw OsError("sendmsg", errno);
  }
}

Received receiveWithFds(int socket, uint8_t* into, size_t room) {
  Received received{0, false, {}};
  bool isCut = false;
  const ssize_t got = receive(socket, into, room, received.fds, isCut);
  received.closed = got == 0 || (got < 0 && errno == ECONNRESET);
  if (got < 0 && errno != EAGAIN && errno != ECONNRESET) throw OsError("recvmsg", errno);
  if (got <= 0) return received;
  received.bytes = static_cast<size_t>(got);
  if (received.fds.size() > MAX_FDS_PER_MESSAGE) throw BadInput("more descriptors in one message than allowed");
  // The kernel has found no number for one.
  if (isCut) received.fds.emplace_back(-1);
  return received;
}

void sendDatagram(const std::string& path, const uint8_t* data, size_t data_len) {
  sockaddr_un address = addressOf(path);
  // Of an abstract name every byte counts, and there is no zero behind it.
  const socklen_t len = offsetof(sockaddr_un, sun_path) + path.size() + (path[0] == '@' ? 0 : 1);
  if (path[0] == '@') address.sun_path[0] = 0;
  Fd fd(check(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  check(static_cast<int>(sendto(fd.get(), data, data_len, MSG_NOSIGNAL | MSG_DONTWAIT,
                                reinterpret_cast<const sockaddr*>(&address), len)),
        "sendto", path);
}

Fd lockDirectory(const std::string& path) {
  Fd fd(check(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open", path));
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return Fd();
  throw OsError("flock", errno, path);
}

Fd openLocks(const std::string& path) {
  return Fd(check(open(path.c_str(), O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), "open", path));
}

namespace {

// A lock of the open file, so that two of one process exclude each other too.
struct flock byteAt(uint32_t offset) {
  struct flock lock{};
  // As a question: is there any lock?
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = 1;
  return lock;
}

}  // namespace

bool lockByte(int fd, uint32_t offset) {
  if (isByteLocked(fd, offset)) return false;
  struct flock lock = byteAt(offset);
  // One for writing takes a descriptor that can write.
  lock.l_type = F_RDLCK;
  check(fcntl(fd, F_OFD_SETLK, &lock), "fcntl");
  return true;
}

bool isByteLocked(int fd, uint32_t offset) {
  struct flock lock = byteAt(offset);
  check(fcntl(fd, F_OFD_GETLK, &lock), "fcntl");
  return lock.l_type != F_UNLCK;
}

bool isAnyByteLocked(int fd) {
  struct flock lock = byteAt(0);
  // To the end, wherever that is.
  lock.l_len = 0;
  check(fcntl(fd, F_OFD_GETLK, &lock), "fcntl");
  return lock.l_type != F_UNLCK;
}

}  // namespace ling
