#include "program.h"

#include <csignal>
#include <cstdint>
#include <future>
#include <memory>

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "os.h"

namespace ling {

namespace {

// It does next to nothing; many programs may run.
constexpr size_t REAPER_STACK = 128 * 1024;

// All that the child needs, made before: it has the parent's memory, and must not allocate. That is also how it tells why
// it has failed; the compiler would not think that anybody has.
struct Launch {
  const char* file;
  const char* directory;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  std::vector<int> descriptors;
  const char* volatile failedCall = nullptr;
  volatile int error = 0;
};

// The system calls do not write to what they are given, though they do not say so.
std::vector<char*> pointersTo(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void fail(Launch& launch, const char* call) {
  launch.error = errno;
  launch.failedCall = call;
  _exit(127);
}

// Node's and ours go by themselves; those that Node was started with would not. Where the kernel does not know it (before
// Linux 5.9), they stay.
void closeFrom(int first) {
#ifdef SYS_close_range
  syscall(SYS_close_range, first, ~0U, 0);
#endif
}

// In the child, which must not touch the parent's frame.
[[noreturn, gnu::noinline]] void become(Launch& launch) {
  setsid();
  // Out of the way first: one may have the number that another is to get.
  const int count = static_cast<int>(launch.descriptors.size());
  for (int& fd : launch.descriptors) {
    if (fd >= 0 && (fd = fcntl(fd, F_DUPFD_CLOEXEC, count)) < 0) fail(launch, "fcntl");
  }
  for (int i = 0; i < count; i++) {
    if (launch.descriptors[i] < 0) close(i);
    else if (dup2(launch.descriptors[i], i) < 0) fail(launch, "dup2");
  }
  closeFrom(count);
  if (*launch.directory != '\0' && chdir(launch.directory) < 0) fail(launch, "chdir");

  // Handlers go by themselves; what is ignored would stay so.
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(launch.file, launch.arguments.data(), launch.environment.data());
  fail(launch, "execve");
}

int waitFor(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

constexpr pid_t NOBODY = 0;

struct Reaping {
  std::future<pid_t> child;
  Fd report;
};

void* reap(void* argument) {
  const std::unique_ptr<Reaping> reaping(static_cast<Reaping*>(argument));
  const pid_t child = reaping->child.get();
  if (child == NOBODY) return nullptr;
  const int32_t status = waitFor(child);
  // EPIPE: nobody asks any more.
  [[maybe_unused]] const ssize_t written = ::write(reaping->report.get(), &status, sizeof status);
  return nullptr;
}

// A thread for each child, as one that belongs to somebody can be waited for in no other way on every kernel, and has to
// be reaped also when nobody asks any more. It touches nothing of JavaScript's, and ends with the OS process. It is there
// before the child: a program that has run cannot be taken back.
class Reaper {
 public:
  explicit Reaper(Fd report) {
    auto reaping = std::make_unique<Reaping>(Reaping{child_.get_future(), std::move(report)});
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, REAPER_STACK);
    pthread_t thread;
    const int error = pthread_create(&thread, &attributes, reap, reaping.get());
    pthread_attr_destroy(&attributes);
    if (error != 0) throw OsError("pthread_create", error);
    reaping.release();
  }
  ~Reaper() { child_.set_value(pid_); }
  void await(pid_t child) { pid_ = child; }

 private:
  std::promise<pid_t> child_;
  pid_t pid_ = NOBODY;
};

// No handler may run in the child, nor in a reaper.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// Children of somebody who ignores it are reaped by the kernel, and their status is lost.
void heedChildren() {
  struct sigaction action;
  if (sigaction(SIGCHLD, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) signal(SIGCHLD, SIG_DFL);
}

}  // namespace

pid_t startProgram(const Program& program, int report) {
  Launch launch{program.file.c_str(), program.directory.c_str(), pointersTo(program.arguments),
                pointersTo(program.environment), program.descriptors};
  heedChildren();
  const SignalsBlocked blocked;
  Reaper reaper(duplicate(report));
  // Not fork(): that copies the page tables of a heap that can be large. This thread waits until the child has its own.
  const pid_t pid = vfork();
  if (pid == 0) become(launch);
  if (pid < 0) throw OsError("vfork", errno);
  if (launch.failedCall != nullptr) {
    waitFor(pid);
    const std::string call = launch.failedCall;
    throw OsError(launch.failedCall, launch.error,
                  call == "execve" ? program.file : call == "chdir" ? program.directory : "");
  }
  reaper.await(pid);
  return pid;
}

}  // namespace ling
