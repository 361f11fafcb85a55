// The one place where the native core meets JavaScript. What each function means is said in index.ts.
#include <memory>
#include <mutex>

#include <dlfcn.h>
#include <sched.h>
#include <napi.h>

#include "event_loop.h"
#include "os.h"
#include "reactor.h"
#include "slab_pool.h"
#include "tube_end.h"

namespace {

using Napi::CallbackInfo;

std::string errnoName(int error) {
  using Name = const char* (*)(int);
  if (const auto name = reinterpret_cast<Name>(dlsym(RTLD_DEFAULT, "strerrorname_np"))) {
    if (const char* found = name(error)) return found;
  }
  return "E" + std::to_string(error);
}

// Runs `body` and turns what the core throws into JavaScript errors with a code.
template <typename Body>
auto guarded(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const ling::OsError& error) {
    Napi::Error thrown = Napi::Error::New(env, error.what());
    thrown.Set("code", errnoName(error.error));
    thrown.Set("errno", Napi::Number::New(env, -error.error));
    thrown.Set("syscall", error.syscall);
    throw thrown;
  } catch (const ling::BadInput& error) {
    Napi::Error thrown = Napi::RangeError::New(env, error.what());
    thrown.Set("code", "EINVAL");
    throw thrown;
  }
}

uint32_t u32(const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); }
int fdOf(const Napi::Value& value) { return value.As<Napi::Number>().Int32Value(); }

struct Bytes {
  uint8_t* data;
  size_t len;
};

Bytes bytesOf(const Napi::Value& value) {
  auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

std::vector<uint32_t> numbersOf(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<uint32_t> numbers(array.Length());
  for (uint32_t i = 0; i < numbers.size(); i++) numbers[i] = u32(array.Get(i));
  return numbers;
}

Napi::Array toArray(Napi::Env env, const std::vector<uint32_t>& numbers) {
  auto array = Napi::Array::New(env, numbers.size());
  for (uint32_t i = 0; i < numbers.size(); i++) array.Set(i, numbers[i]);
  return array;
}

Napi::Array toArray(Napi::Env env, std::vector<ling::Fd>& fds) {
  auto array = Napi::Array::New(env, fds.size());
  for (uint32_t i = 0; i < fds.size(); i++) array.Set(i, fds[i].release());
  return array;
}

struct Instance {
  Napi::FunctionReference reactor;
  Napi::FunctionReference sharedPages;
  std::shared_ptr<ling::SlabPool> slabs = std::make_shared<ling::SlabPool>();
};

Instance& instanceOf(Napi::Env env) { return *env.GetInstanceData<Instance>(); }

// The way from the reactor's thread to the owner's. The lock makes the last call and the end exclude each other.
class Wakeup {
 public:
  void open(Napi::ThreadSafeFunction function) { function_ = function; }

  void call() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (open_) function_.NonBlockingCall();
  }

  void close() {
    std::lock_guard<std::mutex> lock(mutex_);
    // Not Release(): a call that is under way would come after the object it is for may have been collected.
    if (std::exchange(open_, false)) function_.Abort();
  }

 private:
  std::mutex mutex_;
  bool open_ = true;
  Napi::ThreadSafeFunction function_;
};

class ReactorObject : public Napi::ObjectWrap<ReactorObject> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Reactor",
                       {InstanceAccessor<&ReactorObject::Number>("number"), InstanceMethod<&ReactorObject::Add>("add"),
                        InstanceMethod<&ReactorObject::Remove>("remove"), InstanceMethod<&ReactorObject::Arm>("arm"),
                        InstanceMethod<&ReactorObject::WantRoom>("wantRoom"),
                        InstanceMethod<&ReactorObject::ArmFor>("armFor"),
                        InstanceMethod<&ReactorObject::Attach>("attach"), InstanceMethod<&ReactorObject::Stop>("stop")});
  }

  explicit ReactorObject(const CallbackInfo& info) : ObjectWrap(info) {
    const Napi::Env env = info.Env();
    onReady_ = Napi::Persistent(info[0].As<Napi::Function>());
    auto wakeup = wakeup_ = std::make_shared<Wakeup>();
    wakeup_->open(Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [this](const CallbackInfo&) { deliver(); }),
                                                "ling reactor", 0, 1));
    reactor_ = guarded(env, [&] { return std::make_shared<ling::Reactor>([wakeup] { wakeup->call(); }); });
    number_ = ling::Reactor::publish(reactor_);
    // Added after the thread-safe function's own hook, so it runs before it: nobody calls what is gone. The
    // reference to itself keeps the object, and with it the hook's argument, alive until stop().
    Ref();
    napi_add_env_cleanup_hook(env, &ReactorObject::onCleanup, this);
  }

  std::shared_ptr<ling::Reactor> reactor() const {
    if (reactor_ == nullptr) throw ling::BadInput("this reactor has been stopped");
    return reactor_;
  }

 private:
  Napi::Value Number(const CallbackInfo& info) { return Napi::Number::New(info.Env(), static_cast<double>(number_)); }

  Napi::Value Add(const CallbackInfo& info) {
    const uint64_t token = guarded(info.Env(), [&] { return reactor()->add(fdOf(info[0])); });
    return Napi::Number::New(info.Env(), static_cast<double>(token));
  }

  void Remove(const CallbackInfo& info) {
    if (reactor_ != nullptr) reactor_->remove(token(info[0]));
  }

  void Arm(const CallbackInfo& info) {
    if (reactor_ == nullptr) return;
    guarded(info.Env(), [&] { reactor_->arm(token(info[0])); });
  }

  void WantRoom(const CallbackInfo& info) {
    guarded(info.Env(), [&] { reactor()->wantRoom(token(info[0]), info[1].As<Napi::Boolean>()); });
  }

  void ArmFor(const CallbackInfo& info) {
    guarded(info.Env(), [&] {
      reactor()->armFor(token(info[0]), info[1].As<Napi::Boolean>(), info[2].As<Napi::Boolean>());
    });
  }

  Napi::Value Attach(const CallbackInfo& info) {
    const Napi::Env env = info.Env();
    uv_loop_s* loop = nullptr;
    const bool can = ling::LoopWatch::available() && napi_get_uv_event_loop(env, &loop) == napi_ok;
    if (!can) return Napi::Boolean::New(env, false);
    loopWatch_ = guarded(env, [&] {
      return ling::LoopWatch::start(loop, reactor()->fd(), [this] {
        reactor_->poll();
        const Napi::HandleScope scope(Env());
        deliver();
      });
    });
    // The loop watches from here on; the thread-safe function would only keep it alive a second time.
    wakeup_->close();
    return Napi::Boolean::New(env, true);
  }

  void Stop(const CallbackInfo& info) {
    if (stopped_) return;
    napi_remove_env_cleanup_hook(info.Env(), &ReactorObject::onCleanup, this);
    end();
    Unref();
  }

  // The environment ends, and no JavaScript of it will run any more: of a worker that was terminated the OS process, and
  // with it the other ends of its sockets, may live on.
  static void onCleanup(void* self) {
    auto* object = static_cast<ReactorObject*>(self);
    if (object->reactor_ != nullptr) object->reactor_->closeSockets();
    object->end();
  }

  void end() {
    if (std::exchange(stopped_, true)) return;
    reactor_->stop();
    wakeup_->close();
    if (loopWatch_ != nullptr) std::exchange(loopWatch_, nullptr)->close();
    // Its descriptors go as soon as the thread that runs it, and the tubes that are still open, have let go of it.
    reactor_ = nullptr;
  }

  // By statuses instead of C++ exceptions: in a worker that is being terminated there is nothing to throw, and
  // trying to aborts the whole OS process.
  void deliver() {
    if (stopped_) return;
    const std::vector<uint64_t> tokens = reactor_->ready();
    if (tokens.empty()) return;
    napi_value array;
    if (napi_create_array_with_length(Env(), tokens.size(), &array) != napi_ok) return;
    for (uint32_t i = 0; i < tokens.size(); i++) {
      napi_value token;
      if (napi_create_double(Env(), static_cast<double>(tokens[i]), &token) != napi_ok) return;
      if (napi_set_element(Env(), array, i, token) != napi_ok) return;
    }
    napi_make_callback(Env(), nullptr, Env().Global(), onReady_.Value(), 1, &array, nullptr);
    reportException();
  }

  // As an uncaught one: below the callback is no JavaScript that could catch it, and Node only warns of what a
  // thread-safe function throws.
  void reportException() {
    bool pending = false;
    napi_value error;
    if (napi_is_exception_pending(Env(), &pending) != napi_ok || !pending) return;
    if (napi_get_and_clear_last_exception(Env(), &error) == napi_ok) napi_fatal_exception(Env(), error);
  }

  static uint64_t token(const Napi::Value& value) {
    return static_cast<uint64_t>(value.As<Napi::Number>().Int64Value());
  }

  std::shared_ptr<ling::Reactor> reactor_;
  std::shared_ptr<Wakeup> wakeup_;
  Napi::FunctionReference onReady_;
  ling::LoopWatch* loopWatch_ = nullptr;
  uint64_t number_ = 0;
  bool stopped_ = false;
};

Napi::Value RunReactor(const CallbackInfo& info) {
  const auto reactor = ling::Reactor::find(static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()));
  // Gone already: its owner stopped before this thread had started.
  if (reactor == nullptr) return Napi::Boolean::New(info.Env(), false);
  uv_loop_s* loop = nullptr;
  const bool hasLoop = napi_get_uv_event_loop(info.Env(), &loop) == napi_ok;
  const int hostLoop = hasLoop ? ling::LoopWatch::descriptorOf(loop) : -1;
  return Napi::Boolean::New(info.Env(), guarded(info.Env(), [&] { return reactor->run(hostLoop); }));
}

class SharedPagesObject : public Napi::ObjectWrap<SharedPagesObject> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "SharedPages", {InstanceMethod<&SharedPagesObject::Close>("close")});
  }

  explicit SharedPagesObject(const CallbackInfo& info) : ObjectWrap(info) {}

  static Napi::Object New(Napi::Env env, ling::SharedPages pages) {
    Napi::Object object = instanceOf(env).sharedPages.New({});
    Unwrap(object)->pages_ = std::make_unique<ling::SharedPages>(std::move(pages));
    return object;
  }

  const ling::SharedPages& pages() const {
    if (pages_ == nullptr) throw ling::BadInput("these pages have been closed");
    return *pages_;
  }

  ling::SharedPages take() {
    pages();
    return std::move(*std::exchange(pages_, nullptr));
  }

 private:
  void Close(const CallbackInfo&) { pages_ = nullptr; }

  std::unique_ptr<ling::SharedPages> pages_;
};

SharedPagesObject* pagesOf(const Napi::Value& value) { return SharedPagesObject::Unwrap(value.As<Napi::Object>()); }

Napi::Value AllocatePages(const CallbackInfo& info) {
  auto [pages, fd] = guarded(info.Env(), [&] { return ling::SharedPages::allocate(u32(info[0])); });
  auto result = Napi::Array::New(info.Env(), 2);
  result.Set(0u, SharedPagesObject::New(info.Env(), std::move(pages)));
  result.Set(1u, fd.release());
  return result;
}

Napi::Value MapPages(const CallbackInfo& info) {
  const std::vector<uint32_t> flat = numbersOf(info[0]);
  std::vector<ling::PageOf> pages;
  for (size_t i = 0; i + 1 < flat.size(); i += 2) pages.push_back({static_cast<int>(flat[i]), flat[i + 1]});
  return SharedPagesObject::New(info.Env(), guarded(info.Env(), [&] { return ling::SharedPages::map(pages); }));
}

Napi::Value ReadGrefs(const CallbackInfo& info) {
  return guarded(info.Env(), [&] { return toArray(info.Env(), ling::readGrefs(pagesOf(info[0])->pages())); });
}

void WriteGrefs(const CallbackInfo& info) {
  guarded(info.Env(), [&] { ling::writeGrefs(pagesOf(info[0])->pages(), numbersOf(info[1])); });
}

class TubeEndObject : public Napi::ObjectWrap<TubeEndObject> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(
        env, "TubeEnd",
        {InstanceAccessor<&TubeEndObject::PacketsToken>("packetsToken"),
         InstanceAccessor<&TubeEndObject::RoomToken>("roomToken"), InstanceMethod<&TubeEndObject::Write>("write"),
         InstanceMethod<&TubeEndObject::Flush>("flush"), InstanceMethod<&TubeEndObject::FreeSlots>("freeSlots"),
         InstanceMethod<&TubeEndObject::Read>("read"), InstanceMethod<&TubeEndObject::ArmPackets>("armPackets"),
         InstanceMethod<&TubeEndObject::ArmRoom>("armRoom"), InstanceMethod<&TubeEndObject::Counters>("counters"),
         InstanceMethod<&TubeEndObject::Close>("close")});
  }

  // (reactor, side, pages, [kick, wait, kick, wait]); takes over the pages and the descriptors, even if it throws.
  explicit TubeEndObject(const CallbackInfo& info) : ObjectWrap(info) {
    const auto numbers = numbersOf(info[3]);
    const auto fd = [&](size_t i) { return ling::Fd(static_cast<int>(numbers.at(i))); };
    ling::Doorbell sending{fd(0), fd(1)};
    ling::Doorbell receiving{fd(2), fd(3)};
    const auto side = info[1].As<Napi::String>().Utf8Value() == "opener" ? ling::Side::OPENER : ling::Side::ACCEPTOR;
    end_ = guarded(info.Env(), [&] {
      return std::make_unique<ling::TubeEnd>(ReactorObject::Unwrap(info[0].As<Napi::Object>())->reactor(), side,
                                             pagesOf(info[2])->take(), std::move(sending), std::move(receiving));
    });
    packetsToken_ = static_cast<double>(end_->packetsToken());
    roomToken_ = static_cast<double>(end_->roomToken());
  }

 private:
  Napi::Value PacketsToken(const CallbackInfo& info) { return Napi::Number::New(info.Env(), packetsToken_); }
  Napi::Value RoomToken(const CallbackInfo& info) { return Napi::Number::New(info.Env(), roomToken_); }

  Napi::Value Write(const CallbackInfo& info) {
    const Bytes packet = bytesOf(info[0]);
    if (packet.len == 0 || packet.len > ling::MAX_PACKET) {
      throw Napi::RangeError::New(info.Env(), "a packet has 1 to 4096 bytes");
    }
    return Napi::Number::New(info.Env(), end(info).write(packet.data, static_cast<uint32_t>(packet.len)));
  }

  void Flush(const CallbackInfo&) {
    if (end_ != nullptr) end_->flush();
  }

  Napi::Value FreeSlots(const CallbackInfo& info) { return Napi::Number::New(info.Env(), end(info).freeSlots()); }

  // (slab, offset, lengths): the packets go into the slab from the offset on, their lengths into the Uint32Array.
  Napi::Value Read(const CallbackInfo& info) {
    const Bytes slab = bytesOf(info[0]);
    const size_t offset = u32(info[1]);
    auto lengths = info[2].As<Napi::Uint32Array>();
    if (offset > slab.len) throw Napi::RangeError::New(info.Env(), "offset is beyond the slab");
    return Napi::Number::New(info.Env(), end(info).read(slab.data + offset, slab.len - offset, lengths.Data(),
                                                        static_cast<int>(lengths.ElementLength())));
  }

  Napi::Value ArmPackets(const CallbackInfo& info) {
    return Napi::Number::New(info.Env(), guarded(info.Env(), [&] { return end(info).armPackets(); }));
  }

  Napi::Value ArmRoom(const CallbackInfo& info) {
    return Napi::Number::New(info.Env(), guarded(info.Env(), [&] { return end(info).armRoom(); }));
  }

  Napi::Value Counters(const CallbackInfo& info) {
    const ling::Counters& counters = end(info).counters();
    auto object = Napi::Object::New(info.Env());
    object.Set("sentPackets", static_cast<double>(counters.sentPackets));
    object.Set("sentBytes", static_cast<double>(counters.sentBytes));
    object.Set("droppedPackets", static_cast<double>(counters.droppedPackets));
    object.Set("receivedPackets", static_cast<double>(counters.receivedPackets));
    object.Set("receivedBytes", static_cast<double>(counters.receivedBytes));
    return object;
  }

  void Close(const CallbackInfo&) { end_ = nullptr; }

  ling::TubeEnd& end(const CallbackInfo& info) {
    if (end_ == nullptr) throw Napi::Error::New(info.Env(), "this end of the tube has been closed");
    return *end_;
  }

  std::unique_ptr<ling::TubeEnd> end_;
  double packetsToken_ = 0;
  double roomToken_ = 0;
};

Napi::Value NewSlab(const CallbackInfo& info) {
  std::shared_ptr<ling::SlabPool> pool = instanceOf(info.Env()).slabs;
  uint8_t* memory = pool->take();
  return Napi::ArrayBuffer::New(info.Env(), memory, ling::SLAB_SIZE,
                                [pool](Napi::Env, void* data) { pool->give(static_cast<uint8_t*>(data)); });
}

Napi::Value CreateEventFd(const CallbackInfo& info) {
  return Napi::Number::New(info.Env(), guarded(info.Env(), [] { return ling::createEventFd().release(); }));
}

Napi::Value ListenUnix(const CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  return Napi::Number::New(info.Env(), guarded(info.Env(), [&] { return ling::listenUnix(path).release(); }));
}

Napi::Value ConnectUnix(const CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  return Napi::Number::New(info.Env(), guarded(info.Env(), [&] { return ling::connectUnix(path).release(); }));
}

Napi::Value AcceptUnix(const CallbackInfo& info) {
  return Napi::Number::New(info.Env(), guarded(info.Env(), [&] { return ling::acceptUnix(fdOf(info[0])).release(); }));
}

Napi::Value LockDirectory(const CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  return Napi::Number::New(info.Env(), guarded(info.Env(), [&] { return ling::lockDirectory(path).release(); }));
}

Napi::Value SendWithFds(const CallbackInfo& info) {
  const Bytes bytes = bytesOf(info[1]);
  std::vector<int> fds;
  for (const uint32_t fd : numbersOf(info[2])) fds.push_back(static_cast<int>(fd));
  const size_t sent = guarded(info.Env(), [&] { return ling::sendWithFds(fdOf(info[0]), bytes.data, bytes.len, fds); });
  return Napi::Number::New(info.Env(), static_cast<double>(sent));
}

Napi::Value ReceiveWithFds(const CallbackInfo& info) {
  const Bytes room = bytesOf(info[1]);
  ling::Received received =
      guarded(info.Env(), [&] { return ling::receiveWithFds(fdOf(info[0]), room.data, room.len); });
  auto object = Napi::Object::New(info.Env());
  object.Set("bytes", static_cast<double>(received.bytes));
  object.Set("closed", received.closed);
  object.Set("fds", toArray(info.Env(), received.fds));
  return object;
}

Napi::Value DupFd(const CallbackInfo& info) {
  return Napi::Number::New(info.Env(), guarded(info.Env(), [&] { return ling::duplicate(fdOf(info[0])).release(); }));
}

Napi::Value CreatePipe(const CallbackInfo& info) {
  auto [readEnd, writeEnd] = guarded(info.Env(), [] { return ling::createPipe(); });
  auto ends = Napi::Array::New(info.Env(), 2);
  ends.Set(0u, readEnd.release());
  ends.Set(1u, writeEnd.release());
  return ends;
}

Napi::Value SetNonBlocking(const CallbackInfo& info) {
  const bool on = info[1].As<Napi::Boolean>();
  return Napi::Boolean::New(info.Env(), guarded(info.Env(), [&] { return ling::setNonBlocking(fdOf(info[0]), on); }));
}

// A system call that cannot fail.
void YieldCore(const CallbackInfo&) { sched_yield(); }

void CloseFd(const CallbackInfo& info) { const ling::Fd closed(fdOf(info[0])); }

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* instance = new Instance();
  instance->reactor = Napi::Persistent(ReactorObject::Define(env));
  instance->sharedPages = Napi::Persistent(SharedPagesObject::Define(env));
  exports.Set("Reactor", instance->reactor.Value());
  exports.Set("TubeEnd", TubeEndObject::Define(env));
  env.SetInstanceData(instance);

  const auto define = [&](const char* name, auto function) { exports.Set(name, Napi::Function::New(env, function, name)); };
  define("runReactor", RunReactor);
  define("allocatePages", AllocatePages);
  define("mapPages", MapPages);
  define("readGrefs", ReadGrefs);
  define("writeGrefs", WriteGrefs);
  define("newSlab", NewSlab);
  define("createEventFd", CreateEventFd);
  define("listenUnix", ListenUnix);
  define("connectUnix", ConnectUnix);
  define("acceptUnix", AcceptUnix);
  define("sendWithFds", SendWithFds);
  define("receiveWithFds", ReceiveWithFds);
  define("dupFd", DupFd);
  define("createPipe", CreatePipe);
  define("setNonBlocking", SetNonBlocking);
  define("closeFd", CloseFd);
  define("yieldCore", YieldCore);
  define("lockDirectory", LockDirectory);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
