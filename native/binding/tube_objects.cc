#include "tube_objects.h"

#include <memory>
#include <utility>
#include <vector>

#include "../tube_end.h"
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

class TubeEndObject : public Napi::ObjectWrap<TubeEndObject> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(
        env, "TubeEnd",
        {InstanceAccessor<&TubeEndObject::PacketsToken>("packetsToken"),
         InstanceAccessor<&TubeEndObject::RoomToken>("roomToken"), InstanceMethod<&TubeEndObject::Write>("write"),
         InstanceMethod<&TubeEndObject::Flush>("flush"), InstanceMethod<&TubeEndObject::Mute>("mute"),
         InstanceMethod<&TubeEndObject::FreeSlots>("freeSlots"),
         InstanceMethod<&TubeEndObject::Read>("read"), InstanceMethod<&TubeEndObject::ArmPackets>("armPackets"),
         InstanceMethod<&TubeEndObject::ArmRoom>("armRoom"), InstanceMethod<&TubeEndObject::Counters>("counters"),
         InstanceMethod<&TubeEndObject::Close>("close")});
  }

  // (reactor, side, pages, [kick, wait, kick, wait]); takes over the pages and the descriptors, even if it throws.
  explicit TubeEndObject(const CallbackInfo& info) : ObjectWrap(info) {
    const auto numbers = numbersOf(info[3]);
    const auto fd = [&](size_t i) { return takeFd(info.Env(), static_cast<int>(numbers.at(i))); };
    ling::Doorbell sending{fd(0), fd(1)};
    ling::Doorbell receiving{fd(2), fd(3)};
    const auto side = info[1].As<Napi::String>().Utf8Value() == "opener" ? ling::Side::OPENER : ling::Side::ACCEPTOR;
    end_ = guarded(info.Env(), [&] {
      return std::make_unique<ling::TubeEnd>(reactorOf(info[0]), side,
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

  void Mute(const CallbackInfo&) {
    if (end_ != nullptr) end_->mute();
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
  defineFunction(exports, "newSlab", NewSlab);
}
