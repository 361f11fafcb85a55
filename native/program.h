// Programs as OS processes of their own. Not by Node's child_process: that loses the number of a signal that has no name,
// tells of failures when nobody can be told any more, and passes text, not bytes.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace ling {

struct Program {
  // Looked for nowhere else.
  std::string file;
  std::vector<std::string> arguments;
  // NAME=value.
  std::vector<std::string> environment;
  // Empty: that of this OS process.
  std::string directory;
  // What its descriptors 0, 1, 2 ... are; -1 for one that is closed. It gets no others.
  std::vector<int> descriptors;
};

// Starts it, in a session of its own and with all signals at their defaults, and reaps it. When it has ended, its exit
// status, or 128 + n for signal n, is written to `report` as an int32_t; the caller keeps `report`. Throws OsError: its
// syscall is "chdir" or "execve" where it is the program that is to blame.
pid_t startProgram(const Program& program, int report);

}  // namespace ling
