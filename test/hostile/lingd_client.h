// A connection to lingd, as docs/protocol.md has it, for somebody who need not keep to that.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

constexpr uint32_t XS_READ = 2, XS_WATCH = 4, XS_TRANSACTION_START = 6, XS_WRITE = 11, XS_MKDIR = 12, XS_SET_PERMS = 14;
constexpr uint32_t XS_WATCH_EVENT = 15, XS_ERROR = 16;
constexpr uint32_t HELLO = 0x100, GRANT = 0x101, MAP = 0x102, ALLOC_CHANNEL = 0x104, BIND_CHANNEL = 0x105, CLOSE_CHANNEL = 0x106;
constexpr size_t MOST_FDS = 253;

[[noreturn]] inline void die(const std::string& what) {
  fprintf(stderr, "hostile: %s: %s\n", what.c_str(), strerror(errno));
  exit(1);
}

inline int check(int result, const char* what) {
  if (result < 0) die(what);
  return result;
}

inline std::string numbers(std::initializer_list<uint32_t> values) {
  std::string bytes;
  for (const uint32_t value : values) bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  return bytes;
}

inline std::string header(uint32_t type, uint32_t length, uint32_t txId = 0) { return numbers({type, 1, txId, length}); }

// -1 when it is refused.
inline int connectTo(const std::string& path, int flags = 0) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) return -1;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

// Whether all of it went into the socket.
inline bool sendBytes(int socket, const std::string& bytes, const std::vector<int>& fds = {}) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * MOST_FDS)] = {};
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    memcpy(CMSG_DATA(rights), fds.data(), sizeof(int) * fds.size());
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

// A connection to this process itself, full of what nobody reads: who closes it last waits for a minute, until that is read.
inline int lingerer() {
  const int listener = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* to = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  check(bind(listener, to, size), "bind");
  check(listen(listener, 1), "listen");
  check(getsockname(listener, to, &size), "getsockname");
  const int fd = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  check(connect(fd, to, size), "connect");
  const std::string much(65'536, 'x');
  while (send(fd, much.data(), much.size(), MSG_DONTWAIT) > 0) continue;
  const linger patience{1, 60};
  check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &patience, sizeof patience), "setsockopt");
  return fd;
}

struct Answer {
  // Of an error: 16, and its name.
  uint32_t type = XS_ERROR;
  std::string payload = "closed";
  std::vector<int> fds;

  bool isError() const { return type == XS_ERROR; }
  uint32_t number(size_t index) const {
    uint32_t value = 0;
    if (payload.size() >= (index + 1) * sizeof value) memcpy(&value, payload.data() + index * sizeof value, sizeof value);
    return value;
  }
};

class Lingd {
 public:
  explicit Lingd(const std::string& path) : socket_(check(connectTo(path), "connect")) {}

  int socket() const { return socket_; }

  Answer ask(uint32_t type, const std::string& payload, const std::vector<int>& fds = {}) {
    if (!sendBytes(socket_, header(type, static_cast<uint32_t>(payload.size())) + payload, fds)) return {};
    return next();
  }

  // What must not be refused.
  Answer get(uint32_t type, const std::string& payload, const std::vector<int>& fds = {}) {
    Answer answer = ask(type, payload, fds);
    if (!answer.isError()) return answer;
    fprintf(stderr, "hostile: request %u is refused: %s\n", type, answer.payload.c_str());
    exit(1);
  }

  void write(const std::string& path, const std::string& value) { get(XS_WRITE, path + '\0' + value); }
  void mkdir(const std::string& path) { get(XS_MKDIR, path + '\0'); }
  void setPermissions(const std::string& path, const std::string& entry) { get(XS_SET_PERMS, path + '\0' + entry + '\0'); }
  // Empty when it is not there.
  std::string read(const std::string& path) {
    const Answer answer = ask(XS_READ, path + '\0');
    return answer.isError() ? "" : answer.payload;
  }
  // Waits until it is there, and that if anything is said.
  std::string await(const std::string& path, const std::string& expected = "") {
    for (int i = 0; i < 5000; i++) {
      const std::string value = read(path);
      if (!value.empty() && (expected.empty() || value == expected)) return value;
      usleep(2000);
    }
    fprintf(stderr, "hostile: %s is not there\n", path.c_str());
    exit(1);
  }

  // The next answer; `closed` is the error when there is none any more. Events are left out.
  Answer next() {
    for (;;) {
      Answer answer = packet();
      if (answer.type != XS_WATCH_EVENT) return answer;
    }
  }

 private:
  Answer packet() {
    Answer answer;
    std::string head;
    if (!take(head, 16, answer.fds)) return {};
    uint32_t type, length;
    memcpy(&type, head.data(), sizeof type);
    memcpy(&length, head.data() + 12, sizeof length);
    answer.payload.clear();
    if (!take(answer.payload, length, answer.fds)) return {};
    answer.type = type;
    return answer;
  }

  bool take(std::string& into, size_t length, std::vector<int>& fds) {
    while (into.size() < length) {
      char bytes[4096];
      iovec part{bytes, std::min(sizeof bytes, length - into.size())};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * MOST_FDS)];
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      const ssize_t got = recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
      if (got <= 0) return false;
      into.append(bytes, static_cast<size_t>(got));
      for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
        const size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        const size_t before = fds.size();
        fds.resize(before + count);
        memcpy(fds.data() + before, CMSG_DATA(each), count * sizeof(int));
      }
    }
    return true;
  }

  const int socket_;
};
