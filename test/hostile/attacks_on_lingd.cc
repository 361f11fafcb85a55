#include <sys/epoll.h>
#include <thread>

#include "attacks.h"

namespace {

// Only who is nobody's domain yet is cut off.
void garbage(Attack& attack, Lingd&, const std::string& domains, const std::string& tools) {
  while (attack.isOn()) {
    for (const std::string& path : {domains, tools}) {
      const int fd = connectTo(path);
      if (fd < 0) continue;
      sendBytes(fd, attack.randomBytes(1 + attack.random() % 5000));
      close(fd);
    }
  }
}

// Each is a packet as it has to be, of any type, and what is in it is anything.
void nonsense(Attack& attack, Lingd& lingd, const std::string&, const std::string&) {
  while (attack.isOn()) {
    const uint32_t type = attack.random() % 3 == 0 ? 0x100 + attack.random() % 9 : attack.random() % 24;
    std::string payload = attack.randomBytes(attack.random() % 64);
    if (attack.random() % 2 == 0) payload = "data/" + payload + '\0';
    std::vector<int> fds(attack.random() % 4 == 0 ? attack.random() % 8 : 0, lingd.socket());
    sendBytes(lingd.socket(), header(type, static_cast<uint32_t>(payload.size()), attack.random() % 3) + payload, fds);
    for (const int fd : lingd.next().fds) close(fd);
  }
}

void lengths(Attack& attack, Lingd&, const std::string& domains, const std::string& tools) {
  const uint32_t lengths[] = {4097, 65'536, 0x7fffffff, 0x80000000, 0xffffffff};
  while (attack.isOn()) {
    for (const std::string& path : {domains, tools}) {
      const int fd = connectTo(path);
      if (fd < 0) continue;
      sendBytes(fd, header(attack.random() % 20, lengths[attack.random() % 5]) + attack.randomBytes(5000));
      close(fd);
    }
  }
}

// Descriptors that stand for something else, of which the worst is the connection itself: who holds that keeps it from
// ever ending.
std::vector<int> oddDescriptors(int connection) {
  int pair[2];
  check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
  return {connection, pair[0], pair[1], eventfd(0, EFD_CLOEXEC), open("/dev/null", O_RDWR | O_CLOEXEC),
          open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), epoll_create1(EPOLL_CLOEXEC)};
}

// Half of a request, with descriptors, on many connections; then silence.
void halves(Attack& attack, Lingd&, const std::string& domains, const std::string&) {
  for (int i = 0; i < 100; i++) {
    const int fd = connectTo(domains);
    if (fd < 0) break;
    const std::string request = header(GRANT, 8) + numbers({1, 1});
    sendBytes(fd, request.substr(0, 1 + attack.random() % 23), i % 2 == 0 ? std::vector<int>{fd} : std::vector<int>{});
  }
  while (attack.isOn()) usleep(10'000);
}

// Everything but a memfd, and not one of it; on connections that are ended by nobody but this process's end.
void descriptors(Attack& attack, Lingd&, const std::string& domains, const std::string&) {
  while (attack.isOn() && attack.count() < 50) {
    Lingd lingd(domains);
    lingd.get(HELLO, "odd");
    const std::string request = numbers({1, 1});
    const std::vector<int> odd = oddDescriptors(lingd.socket());
    for (const int fd : odd) lingd.ask(GRANT, request, {fd});
    lingd.ask(GRANT, request);
    lingd.ask(GRANT, request, odd);
    lingd.ask(XS_READ, std::string("name\0", 5), odd);
    for (const size_t count : {size_t{64}, MOST_FDS}) lingd.ask(GRANT, request, std::vector<int>(count, lingd.socket()));
    for (size_t i = 1; i < odd.size(); i++) close(odd[i]);
  }
}

// Asks, and takes no answer, until lingd reads no more of it; then its own connection is in what nobody reads.
void silence(Attack& attack, Lingd& lingd, const std::string&, const std::string&) {
  const int connection = lingd.socket();
  check(fcntl(connection, F_SETFL, O_NONBLOCK), "fcntl");
  const std::string request = header(XS_READ, 5) + std::string("name\0", 5);
  const std::vector<int> itself{connection}, nothing;
  // Until for a while nothing more goes in.
  for (int refused = 0; refused < 300 || attack.isOn(); refused++) {
    while (sendBytes(connection, request, attack.random() % 50 == 0 ? itself : nothing)) refused = 0;
    usleep(1000);
  }
}

// Its own connection in a doorbell whose other end nobody has but lingd, until it is bound.
void doorbells(Attack& attack, Lingd& lingd, const std::string&, const std::string&) {
  const Answer channel = lingd.get(ALLOC_CHANNEL, numbers({1}));
  if (!sendBytes(channel.fds.at(0), "x", {lingd.socket()})) die("sendmsg");
  while (attack.isOn()) usleep(1000);
}

// Descriptors whose closing can make wait who closes them last, wherever lingd meets them: with a request, behind too many others,
// in half of one, behind what it does not read, in a doorbell.
void lingerers(Attack& attack, Lingd& hostile, const std::string& domains, const std::string&) {
  const std::string request = header(GRANT, 8) + numbers({1, 1});
  const int memory = check(memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create");
  for (const size_t before : {size_t{0}, size_t{63}, size_t{64}, MOST_FDS - 1}) {
    Lingd lingd(domains);
    std::vector<int> fds(before, memory);
    fds.push_back(lingerer());
    sendBytes(lingd.socket(), request, fds);
    close(fds.back());
    lingd.next();
  }
  const int lingers = lingerer();
  const std::string read = header(XS_READ, 5) + std::string("name\0", 5);
  for (const bool isUnread : {false, true}) {
    const int fd = connectTo(domains, SOCK_NONBLOCK);
    if (!isUnread) sendBytes(fd, request.substr(0, 10), {lingers});
    // Until for a while nothing more goes in.
    for (int refused = 0; isUnread && refused < 100; refused++) {
      while (sendBytes(fd, read, attack.random() % 50 == 0 ? std::vector<int>{lingers} : std::vector<int>{})) refused = 0;
      usleep(1000);
    }
    close(fd);
  }
  const Answer channel = hostile.get(ALLOC_CHANNEL, numbers({1}));
  if (!sendBytes(channel.fds.at(0), "x", {lingers})) die("sendmsg");
  close(lingers);
  hostile.get(CLOSE_CHANNEL, numbers({channel.number(0)}));
  while (attack.isOn()) usleep(1000);
}

// Says hello on as many connections as there can be.
void connections(Attack& attack, Lingd&, const std::string& domains, const std::string&) {
  while (attack.isOn()) {
    const int fd = connectTo(domains, SOCK_NONBLOCK);
    if (fd < 0) usleep(10'000);
    else sendBytes(fd, header(HELLO, 4) + "many");
  }
}

std::string untilRefused(uint64_t most, const std::function<Answer()>& ask) {
  for (uint64_t i = 0; i < most; i++) {
    const Answer answer = ask();
    if (answer.isError()) return answer.payload.c_str();
    for (const int fd : answer.fds) close(fd);
  }
  return "never";
}

// As much of everything as a domain can have.
void greed(Attack& attack, Lingd& lingd, const std::string&, const std::string&) {
  uint64_t i = 0;
  const int memory = check(memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create");
  const std::map<std::string, std::string> refusals = {
      {"grants", untilRefused(10'000, [&] { return lingd.ask(GRANT, numbers({1, 100}), {memory}); })},
      {"channels", untilRefused(10'000, [&] { return lingd.ask(ALLOC_CHANNEL, numbers({1})); })},
      {"nodes", untilRefused(10'000, [&] { return lingd.ask(XS_MKDIR, "data/" + std::to_string(i++) + '\0'); })},
      {"watches", untilRefused(10'000, [&] { return lingd.ask(XS_WATCH, "data/x" + std::string(1, '\0') + std::to_string(i++) + '\0'); })},
      {"transactions", untilRefused(10'000, [&] { return lingd.ask(XS_TRANSACTION_START, std::string(1, '\0')); })},
  };
  for (const auto& [what, why] : refusals) printf("%s %s\n", what.c_str(), why.c_str());
  fflush(stdout);
  while (attack.isOn()) usleep(10'000);
}

// Every request is as much work for lingd as one can be: each write is told to a thousand watches.
void work(Attack& attack, Lingd& lingd, const std::string&, const std::string&) {
  for (int i = 0; i < 1000; i++) lingd.ask(XS_WATCH, "data" + std::string(1, '\0') + std::to_string(i) + '\0');
  std::thread reader([&] {
    std::vector<char> bytes(1 << 20);
    while (recv(lingd.socket(), bytes.data(), bytes.size(), 0) > 0) continue;
  });
  std::string requests;
  for (int i = 0; i < 50; i++) requests += header(XS_WRITE, 7) + std::string("data/x\0", 7);
  while (attack.isOn()) send(lingd.socket(), requests.data(), requests.size(), MSG_NOSIGNAL);
  shutdown(lingd.socket(), SHUT_RDWR);
  reader.join();
}

}  // namespace

const std::map<std::string, OnLingd>& attacksOnLingd() {
  static const std::map<std::string, OnLingd> all = {
      {"garbage", garbage},         {"nonsense", nonsense},       {"lengths", lengths}, {"halves", halves},
      {"descriptors", descriptors}, {"connections", connections}, {"greed", greed},
      {"silence", silence},         {"doorbells", doorbells},     {"work", work},
      {"lingerers", lingerers},
  };
  return all;
}
