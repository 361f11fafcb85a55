#include "reactor_object.h"

#include <mutex>
#include <utility>
#include <vector>

#include "../event_loop.h"
#include "../relief.h"
#include "values.h"

namespace {

using Napi::CallbackInfo;

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
                       {InstanceAccessor<&ReactorObject::Number>("number"),
                        InstanceMethod<&ReactorObject::StartRelief>("startRelief"), InstanceMethod<&ReactorObject::Add>("add"),
                        InstanceMethod<&ReactorObject::Remove>("remove"), InstanceMethod<&ReactorObject::Arm>("arm"),
                        InstanceMethod<&ReactorObject::WantRoom>("wantRoom"),
                        InstanceMethod<&ReactorObject::ArmFor>("armFor"),
                        InstanceMethod<&ReactorObject::Attach>("attach"), InstanceMethod<&ReactorObject::Stop>("stop")});
  }

  explicit ReactorObject(const CallbackInfo& info) : ObjectWrap(info) {
    const Napi::Env env = info.Env();
    onReady_ = Napi::Persistent(info[0].As<Napi::Function>());
    auto wakeup = wakeup_ = std::make_shared<Wakeup>();
    // Before the thread-safe function: one that nobody closes, as there is no reactor, would keep the event loop alive.
    reactor_ = guarded(env, [&] { return std::make_shared<ling::Reactor>([wakeup] { wakeup->call(); }); });
    wakeup_->open(Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [this](const CallbackInfo&) { deliver(); }),
                                                "ling reactor", 0, 1));
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

  std::shared_ptr<ling::Relief> relief() const { return relief_; }

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

  Napi::Value StartRelief(const CallbackInfo& info) {
    relief_ = guarded(info.Env(), [&] {
      reactor();
      return ling::Relief::create();
    });
    return Napi::Number::New(info.Env(), static_cast<double>(ling::Reactor::publish(relief_->reactor())));
  }

  void Stop(const CallbackInfo& info) {
    if (stopped_) return;
    napi_remove_env_cleanup_hook(info.Env(), &ReactorObject::onCleanup, this);
    end();
    Unref();
  }

  // The environment ends, and no JavaScript of it will run any more.
  static void onCleanup(void* self) { static_cast<ReactorObject*>(self)->end(); }

  void end() {
    if (std::exchange(stopped_, true)) return;
    reactor_->stop();
    if (relief_ != nullptr) relief_->reactor()->stop();
    wakeup_->close();
    if (loopWatch_ != nullptr) std::exchange(loopWatch_, nullptr)->close();
    // Its descriptors go as soon as the thread that runs it, and the tubes that are still open, have let go of it.
    reactor_ = nullptr;
    relief_ = nullptr;
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
  std::shared_ptr<ling::Relief> relief_;
  std::shared_ptr<Wakeup> wakeup_;
  Napi::FunctionReference onReady_;
  ling::LoopWatch* loopWatch_ = nullptr;
  uint64_t number_ = 0;
  bool stopped_ = false;
};

}  // namespace

Napi::Function defineReactor(Napi::Env env) { return ReactorObject::Define(env); }

std::shared_ptr<ling::Reactor> reactorOf(const Napi::Value& object) {
  return ReactorObject::Unwrap(object.As<Napi::Object>())->reactor();
}

std::shared_ptr<ling::Relief> reliefOf(const Napi::Value& object) {
  return ReactorObject::Unwrap(object.As<Napi::Object>())->relief();
}

Napi::Value runReactor(const Napi::CallbackInfo& info) {
  const auto reactor = ling::Reactor::find(static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()));
  // Gone already: its owner stopped before this thread had started.
  if (reactor == nullptr) return Napi::Boolean::New(info.Env(), false);
  uv_loop_s* loop = nullptr;
  const bool hasLoop = napi_get_uv_event_loop(info.Env(), &loop) == napi_ok;
  const int hostLoop = hasLoop ? ling::LoopWatch::descriptorOf(loop) : -1;
  return Napi::Boolean::New(info.Env(), guarded(info.Env(), [&] { return reactor->run(hostLoop); }));
}
