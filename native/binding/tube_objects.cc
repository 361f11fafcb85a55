#include "tube_objects.h"

#include <memory>
#include <utility>
#include <vector>

#include "../ling_tube.h"
#include "../packed_tube.h"
#include "environment.h"
#include "reactor_object.h"
#include "values.h"

namespace {

using Napi::CallbackInfo;

class SharedPagesObject : public Napi::ObjectWrap<SharedPagesObject> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "SharedPages", {InstanceMethod<&SharedPagesObject::Close>("close")});
  }

  explicit SharedPagesObject(const CallbackInfo& info) : ObjectWrap(info) {}

  static Napi::Object New(Napi::Env env, ling::SharedPages pages) {
    Napi::Object object = Environment::of(env).sharedPages.New({});
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
  result.Set(1u, giveFd(info.Env(), std::move(fd)));
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

// (pages, count, fromTables)
Napi::Value ReadPackedGrefs(const CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return toArray(info.Env(),
                   ling::readPackedGrefs(pagesOf(info[0])->pages(), u32(info[1]), info[2].As<Napi::Boolean>()));
  });
}

// (pages, ringSize, grefs)
void WritePackedGrefs(const CallbackInfo& info) {
  guarded(info.Env(),
          [&] { ling::writePackedGrefs(pagesOf(info[0])->pages(), u32(info[1]), numbersOf(info[2])); });
}

class TubeEndObject : public Napi::ObjectWrap<TubeEndObject> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(
        env, "TubeEnd",
        {InstanceAccessor<&TubeEndObject::PacketsToken>("packetsToken"),
         InstanceAccessor<&TubeEndObject::RoomToken>("roomToken"), InstanceAccessor<&TubeEndObject::Slots>("slots"),
         InstanceMethod<&TubeEndObject::Flush>("flush"),
         InstanceMethod<&TubeEndObject::FreeSlots>("freeSlots"), InstanceMethod<&TubeEndObject::SetDrops>("setDrops"),
         InstanceMethod<&TubeEndObject::WasPressed>("wasPressed"),
         InstanceMethod<&TubeEndObject::SetTakesAhead>("setTakesAhead"),
         InstanceMethod<&TubeEndObject::HangUp>("hangUp"), InstanceMethod<&TubeEndObject::ArmPackets>("armPackets"),
         InstanceMethod<&TubeEndObject::ArmRoom>("armRoom"), InstanceMethod<&TubeEndObject::Counters>("counters"),
         InstanceMethod<&TubeEndObject::Close>("close")});
  }

  // (reactor, side, pages, [doorbell, doorbell], ringSize); takes over the pages and the descriptors, even if it
  // throws. 0: as LING lays out a tube.
  explicit TubeEndObject(const CallbackInfo& info) : ObjectWrap(info) {
    const auto numbers = numbersOf(info[3]);
    const auto fd = [&](size_t i) { return takeFd(info.Env(), static_cast<int>(numbers.at(i))); };
    ling::Fd first = fd(0);
    ling::Fd second = fd(1);
    const auto side = info[1].As<Napi::String>().Utf8Value() == "opener" ? ling::Side::OPENER : ling::Side::ACCEPTOR;
    const uint32_t ringSize = u32(info[4]);
    shared_->end = guarded(info.Env(), [&]() -> std::shared_ptr<ling::TubeEnd> {
      auto reactor = reactorOf(info[0]);
      auto pages = pagesOf(info[2])->take();
      if (ringSize == 0) {
        return std::make_shared<ling::LingTube>(reactor, side, std::move(pages), std::move(first), std::move(second));
      }
      return std::make_shared<ling::PackedTube>(reactor, reliefOf(info[0]), Environment::of(info.Env()).slabs, side,
                                                std::move(pages), ringSize, std::move(first), std::move(second));
    });
    packetsToken_ = static_cast<double>(shared_->end->packetsToken());
    roomToken_ = static_cast<double>(shared_->end->roomToken());
    setFastMethod<&TubeEndObject::write>(info.Env(), info.This().As<Napi::Object>(), "write");
    setFastMethod<&TubeEndObject::read>(info.Env(), info.This().As<Napi::Object>(), "read");
  }

  void Finalize(Napi::Env) override { close(); }

 private:
  // For what is called for every packet: without the C++ objects around each value, and without the search for what is
  // behind `this`, which takes longer than a packet. So each object has functions of its own, which know its end.
  struct Shared {
    std::shared_ptr<ling::TubeEnd> end;
  };
  using Fast = napi_value (*)(napi_env, ling::TubeEnd&, const napi_value*, size_t);

  template <Fast method>
  void setFastMethod(Napi::Env env, Napi::Object object, const char* name) {
    const auto call = [](napi_env env, napi_callback_info info) -> napi_value {
      napi_value args[FAST_ARGS];
      size_t count = FAST_ARGS;
      void* data = nullptr;
      if (napi_get_cb_info(env, info, &count, args, nullptr, &data) != napi_ok) return nullptr;
      ling::TubeEnd* end = (*static_cast<std::shared_ptr<Shared>*>(data))->end.get();
      if (end != nullptr) return method(env, *end, args, count);
      napi_throw_error(env, nullptr, "this end of the tube has been closed");
      return nullptr;
    };
    auto* data = new std::shared_ptr<Shared>(shared_);
    napi_value function = nullptr;
    NAPI_THROW_IF_FAILED_VOID(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, call, data, &function));
    Napi::Object(env, function).AddFinalizer([](Napi::Env, std::shared_ptr<Shared>* shared) { delete shared; }, data);
    object.Set(name, function);
  }

  static constexpr size_t FAST_ARGS = 3;

  Napi::Value PacketsToken(const CallbackInfo& info) { return Napi::Number::New(info.Env(), packetsToken_); }
  Napi::Value RoomToken(const CallbackInfo& info) { return Napi::Number::New(info.Env(), roomToken_); }
  Napi::Value Slots(const CallbackInfo& info) { return Napi::Number::New(info.Env(), end(info).slots()); }

  // (bytes, size)
  static napi_value write(napi_env env, ling::TubeEnd& end, const napi_value* args, size_t count) {
    void* data = nullptr;
    size_t room = 0;
    int64_t len = 0;
    if (napi_get_typedarray_info(env, args[0], nullptr, &room, &data, nullptr, nullptr) == napi_ok &&
        (count < 2 || napi_get_value_int64(env, args[1], &len) != napi_ok)) {
      len = static_cast<int64_t>(room);
    }
    if (len < 1 || len > ling::MAX_PACKET || static_cast<size_t>(len) > room) {
      napi_throw_range_error(env, nullptr, "a packet has 1 to 4096 bytes");
      return nullptr;
    }
    return toValue(env, end.write(static_cast<const uint8_t*>(data), static_cast<uint32_t>(len)));
  }

  void Flush(const CallbackInfo&) {
    if (shared_->end != nullptr) shared_->end->flush();
  }

  Napi::Value FreeSlots(const CallbackInfo& info) { return Napi::Number::New(info.Env(), end(info).freeSlots()); }
  void SetDrops(const CallbackInfo& info) { end(info).setDrops(info[0].As<Napi::Boolean>()); }

  // (slab, offset, places): the packets go into the slab from the offset on; where they are from there, into the Uint32Array.
  static napi_value read(napi_env env, ling::TubeEnd& end, const napi_value* args, size_t) {
    void* slab = nullptr;
    void* places = nullptr;
    size_t room = 0;
    size_t words = 0;
    uint32_t offset = 0;
    napi_typedarray_type type{};
    if (napi_get_typedarray_info(env, args[0], nullptr, &room, &slab, nullptr, nullptr) != napi_ok ||
        napi_get_value_uint32(env, args[1], &offset) != napi_ok ||
        napi_get_typedarray_info(env, args[2], &type, &words, &places, nullptr, nullptr) != napi_ok ||
        type != napi_uint32_array || offset > room) {
      napi_throw_range_error(env, nullptr, "the offset is beyond the slab, or that is no slab");
      return nullptr;
    }
    return toValue(env, end.read(static_cast<uint8_t*>(slab) + offset, room - offset, static_cast<ling::Place*>(places),
                                   static_cast<int>(words / 2)));
  }

  Napi::Value WasPressed(const CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), end(info).wasPressed());
  }

  void SetTakesAhead(const CallbackInfo& info) {
    guarded(info.Env(), [&] { end(info).setTakesAhead(info[0].As<Napi::Boolean>()); });
  }

  void HangUp(const CallbackInfo& info) { end(info).hangUp(); }

  Napi::Value ArmPackets(const CallbackInfo& info) {
    return Napi::Number::New(info.Env(), guarded(info.Env(), [&] { return end(info).armPackets(); }));
  }

  // (slots)
  Napi::Value ArmRoom(const CallbackInfo& info) {
    const int slots = static_cast<int>(u32(info[0]));
    return Napi::Number::New(info.Env(), guarded(info.Env(), [&] { return end(info).armRoom(slots); }));
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

  void Close(const CallbackInfo&) { close(); }

  void close() {
    if (shared_->end != nullptr) std::exchange(shared_->end, nullptr)->close();
  }

  static napi_value toValue(napi_env env, int number) {
    napi_value value = nullptr;
    napi_create_int32(env, number, &value);
    return value;
  }

  ling::TubeEnd& end(const CallbackInfo& info) {
    if (shared_->end == nullptr) throw Napi::Error::New(info.Env(), "this end of the tube has been closed");
    return *shared_->end;
  }

  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  double packetsToken_ = 0;
  double roomToken_ = 0;
};

Napi::Value NewSlab(const CallbackInfo& info) {
  // V8 counts what is outside of its heap, but only where it allocates such memory itself does it look whether a scavenge
  // would free enough of it. Without that it collects everything, again and again.
  Napi::ArrayBuffer::New(info.Env(), 1);
  std::shared_ptr<ling::SlabPool> pool = Environment::of(info.Env()).slabs;
  uint8_t* memory = pool->take();
  return Napi::ArrayBuffer::New(info.Env(), memory, ling::SLAB_SIZE,
                                [pool](Napi::Env, void* data) { pool->give(static_cast<uint8_t*>(data)); });
}

}  // namespace

void defineTubeObjects(Napi::Env env, Napi::Object exports) {
  auto* environment = new Environment();
  environment->sharedPages = Napi::Persistent(SharedPagesObject::Define(env));
  env.SetInstanceData(environment);
  exports.Set("TubeEnd", TubeEndObject::Define(env));
  defineFunction(exports, "allocatePages", AllocatePages);
  defineFunction(exports, "mapPages", MapPages);
  defineFunction(exports, "readGrefs", ReadGrefs);
  defineFunction(exports, "writeGrefs", WriteGrefs);
  defineFunction(exports, "readPackedGrefs", ReadPackedGrefs);
  defineFunction(exports, "writePackedGrefs", WritePackedGrefs);
  defineFunction(exports, "newSlab", NewSlab);
}
