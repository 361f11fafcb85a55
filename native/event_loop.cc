#include "event_loop.h"

#include <dlfcn.h>
#include <memory>

#include <uv.h>

#include "os.h"

namespace ling {

namespace {

template <typename Function>
Function find(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

struct Uv {
  decltype(&uv_poll_init) init = find<decltype(&uv_poll_init)>("uv_poll_init");
  decltype(&uv_poll_start) start = find<decltype(&uv_poll_start)>("uv_poll_start");
  decltype(&uv_backend_fd) backendFd = find<decltype(&uv_backend_fd)>("uv_backend_fd");
  decltype(&uv_close) close = find<decltype(&uv_close)>("uv_close");
};

const Uv& uv() {
  static const Uv functions;
  return functions;
}

}  // namespace

struct LoopWatch::State {
  uv_poll_t handle;
  std::function<void()> onReadable;
};

bool LoopWatch::available() { return uv().init != nullptr && uv().start != nullptr && uv().close != nullptr; }

int LoopWatch::descriptorOf(uv_loop_s* loop) { return uv().backendFd == nullptr ? -1 : uv().backendFd(loop); }

LoopWatch* LoopWatch::start(uv_loop_s* loop, int fd, std::function<void()> onReadable) {
  auto state = std::make_unique<State>(State{{}, std::move(onReadable)});
  if (const int error = uv().init(loop, &state->handle, fd)) throw OsError("uv_poll_init", -error);
  state->handle.data = state.get();
  auto* watch = new LoopWatch(state.release());
  const int error = uv().start(&watch->state_->handle, UV_READABLE, [](uv_poll_t* handle, int, int) {
    static_cast<State*>(handle->data)->onReadable();
  });
  if (error != 0) {
    watch->close();
    throw OsError("uv_poll_start", -error);
  }
  return watch;
}

void LoopWatch::close() {
  uv().close(reinterpret_cast<uv_handle_t*>(&state_->handle),
             [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
  delete this;
}

}  // namespace ling
