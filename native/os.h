// What the operating system gives out, each owned by one object that gives it back.
#pragma once

#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace ling {

// A system call that failed. `what()` is a sentence; errno and the call's name go to JavaScript beside it.
class OsError : public std::runtime_error {
 public:
  OsError(const char* syscall, int error, const std::string& subject = "");
  const char* const syscall;
  const int error;
};

// Bytes or numbers from the outside that are not what they have to be.
class BadInput : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// A page of a descriptor, as lingd names it to the domain that it was granted to.
struct PageOf {
  int fd;
  uint32_t page;
};

// Pages of memory that another process has mapped or may map; unmapped when the object goes.
class SharedPages {
 public:
  // Fresh zeroed pages in a memfd that nobody can resize any more.
  static std::pair<SharedPages, Fd> allocate(size_t pages);
  // Somebody else's pages, one behind the other in the order given. Each descriptor has to be a memfd sealed
  // against shrinking, of ordinary pages and large enough, so that touching a page can never raise SIGBUS.
  static SharedPages map(const std::vector<PageOf>& pages);

  SharedPages(SharedPages&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), pages_(std::exchange(other.pages_, 0)) {}
  ~SharedPages();

  uint8_t* base() const { return base_; }
  size_t pages() const { return pages_; }

 private:
  SharedPages(uint8_t* base, size_t pages) : base_(base), pages_(pages) {}
  uint8_t* base_;
  size_t pages_;
};

// Whether that is a memfd of ordinary pages, as allocate() makes it.
bool isMemory(int fd);

Fd duplicate(int fd);

// What is written to the second can be read from the first. Both block, and no program that is started inherits them.
std::pair<Fd, Fd> createPipe();
// For all who share the open file. Returns whether it was non-blocking before.
bool setNonBlocking(int fd, bool on);

// Stays readable once it is set.
Fd createFlag();
void set(int flag);

// The two ends of a doorbell. Each stays rung by the other until it is silenced. Nothing that whoever has the other end
// does to it makes any of these wait, as sockets, unlike other files, can be told so with every call.
std::pair<Fd, Fd> createDoorbell();
// For the other end; whether that is still there does not matter.
void ring(int doorbell);
// Returns false when the other end is gone: then nobody will ring any more.
bool silence(int doorbell);

// Before the end of a connected socket that nobody else has: nothing more comes, and what nobody has read is taken out. It may be
// descriptors that make wait who closes them, which is who closes a socket that they are in.
void drain(int socket);

struct Received {
  size_t bytes;
  bool closed;
  // The last is -1 where this OS process had no number for one or more: they are lost, the bytes are not.
  std::vector<Fd> fds;
};

constexpr size_t MAX_FDS_PER_MESSAGE = 64;

// Unix stream sockets that carry descriptors; all of them non-blocking.
Fd listenUnix(const std::string& path);
Fd connectUnix(const std::string& path);
// Takes a socket that was handed down: what it is bound to. From now on it is non-blocking, and no program that is started
// inherits it. Throws BadInput, with what it is, for anything but a Unix stream socket with a path that listens.
std::string adoptListener(int fd);
// -1 when there is nothing to accept.
Fd acceptUnix(int listener);

struct Credentials {
  uid_t uid;
  gid_t gid;
  // 0 for a process that cannot be seen from here.
  pid_t pid;
};

// Who the peer of a connected socket was when it connected, whatever it has become since.
Credentials peerCredentials(int socket);

// Can be read when that process has ended, and by nothing else. Throws ESRCH for one that is not there any more.
Fd openProcess(pid_t pid);

// How many bytes the kernel took, 0 when it has no room now. The descriptors travel with the first byte.
size_t sendWithFds(int socket, const uint8_t* data, size_t len, const std::vector<int>& fds);
// `bytes` is 0 when there is nothing to read now, unless `closed`. Throws BadInput for more descriptors than allowed.
Received receiveWithFds(int socket, uint8_t* into, size_t room);

// Sends one datagram to the Unix socket of that path, or of that abstract name after an '@'; never waits.
void sendDatagram(const std::string& path, const uint8_t* data, size_t len);

// Takes the lock on a directory that only one process can hold and that no crash can leave behind;
// -1 when another process has it.
Fd lockDirectory(const std::string& path);

// Makes a file for locks of single bytes if it is not there. Who is given the descriptor can lock, but not write.
Fd openLocks(const std::string& path);
// Locks a byte, as lockDirectory does a directory; false when somebody else has it.
bool lockByte(int fd, uint32_t offset);
// Whether somebody who has opened the file on its own has the lock.
bool isByteLocked(int fd, uint32_t offset);
bool isAnyByteLocked(int fd);

}  // namespace ling
