// Lets the event loop of the host watch a descriptor itself, where the host has libuv's.
//
// The functions are looked up at run time: other hosts of Node-API lack them, and then available() is false.
#pragma once

#include <functional>

struct uv_loop_s;

namespace ling {

class LoopWatch {
 public:
  static bool available();
  // A descriptor that can be read when the loop has something to do; -1 where there is none to be had.
  static int descriptorOf(uv_loop_s* loop);
  // Calls `onReadable` on the loop's thread whenever `fd` can be read; keeps the loop alive. Throws OsError.
  static LoopWatch* start(uv_loop_s* loop, int fd, std::function<void()> onReadable);
  // Ends the watch and deletes the object once the loop has let go of it.
  void close();

 private:
  struct State;
  explicit LoopWatch(State* state) : state_(state) {}
  State* state_;
};

}  // namespace ling
