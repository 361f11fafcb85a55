// A domain that joins lingd, opens or accepts a tube as it has to, and then does what its argument says.
//
//     hostile RUNDIR ATTACK MILLISECONDS                                      on lingd
//     hostile RUNDIR ATTACK MILLISECONDS opener|acceptor VICTIM TID RING      on who is at the other end; RING 0: LING's
//     hostile RUNDIR MEMORY MILLISECONDS acceptor VICTIM TID RING             offers memory that cannot be mapped
//
// It prints `domain N`, then `ready`; begins when a line is there to read, prints `attacked` in the end, and leaves when
// there is nothing more to read.
#include <sys/resource.h>

#include "attacks.h"

namespace {

const std::map<std::string, Memory> MEMORIES = {
    {"unsealed", Memory::UNSEALED}, {"short", Memory::SHORT},     {"read-only", Memory::READ_ONLY}, {"huge", Memory::HUGE},
    {"eventfd", Memory::EVENTFD},   {"socket", Memory::SOCKET},   {"directory", Memory::DIRECTORY},
};

void say(const std::string& line) {
  puts(line.c_str());
  fflush(stdout);
}

// Whether there was one.
bool readLine() {
  char line[16];
  return fgets(line, sizeof line, stdin) != nullptr;
}

template <typename T, typename... A>
void run(const T& act, long milliseconds, A&... arguments) {
  say("ready");
  if (!readLine()) return;
  Attack attack(milliseconds);
  act(attack, arguments...);
  say("attacked " + std::to_string(attack.count()));
  while (readLine()) continue;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4 && count != 8) return 2;
  const std::string directory = arguments[1];
  const std::string name = arguments[2];
  const long milliseconds = atol(arguments[3]);
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);

  const std::string domains = directory + "/domain";
  const std::string tools = directory + "/socket";
  Lingd lingd(domains);
  const uint32_t me = lingd.get(HELLO, "hostile").number(0);
  if (count == 4) {
    const auto attack = attacksOnLingd().find(name);
    if (attack == attacksOnLingd().end()) return 2;
    say("domain " + std::to_string(me));
    run(attack->second, milliseconds, lingd, domains, tools);
    return 0;
  }

  const bool opens = std::string(arguments[4]) == "opener";
  const auto victim = static_cast<uint32_t>(atol(arguments[5]));
  const std::string tid = arguments[6];
  const auto ringSize = static_cast<uint32_t>(atol(arguments[7]));
  const auto bad = MEMORIES.find(name);
  const Memory kind = bad == MEMORIES.end() ? Memory::GOOD : bad->second;
  const auto attack = attacksOnTubes().find(name);
  if (attack == attacksOnTubes().end() && kind == Memory::GOOD) return 2;
  if (!opens) {
    lingd.mkdir("data/tip");
    lingd.setPermissions("data/tip", "b" + std::to_string(me));
  }
  say("domain " + std::to_string(me));
  TubePeer tube = opens ? openTube(lingd, me, victim, tid, ringSize) : acceptTube(lingd, victim, tid, ringSize, kind);
  if (kind != Memory::GOOD) {
    while (readLine()) continue;
    return 0;
  }
  run(attack->second, milliseconds, lingd, tube);
}
