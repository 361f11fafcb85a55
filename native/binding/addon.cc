// The functions and classes that JavaScript gets. What each of them means is said in index.ts.
#include <sched.h>
#include <napi.h>

#include "../os.h"
#include "../program.h"
#include "environment.h"
#include "reactor_object.h"
#include "tube_objects.h"
#include "values.h"

namespace {

using Napi::CallbackInfo;

std::string textOf(const Napi::Value& value) {
  const Bytes bytes = bytesOf(value);
  return {reinterpret_cast<const char*>(bytes.data), bytes.len};
}

std::vector<std::string> textsOf(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < array.Length(); i++) texts.push_back(textOf(array.Get(i)));
  return texts;
}

Napi::Value givePair(Napi::Env env, std::pair<ling::Fd, ling::Fd> pair) {
  std::vector<ling::Fd> fds;
  fds.push_back(std::move(pair.first));
  fds.push_back(std::move(pair.second));
  return giveFds(env, fds);
}

Napi::Value CreateDoorbell(const CallbackInfo& info) {
  return givePair(info.Env(), guarded(info.Env(), [] { return ling::createDoorbell(); }));
}

Napi::Value ListenUnix(const CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  return giveFd(info.Env(), guarded(info.Env(), [&] { return ling::listenUnix(path); }));
}

Napi::Value ConnectUnix(const CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  return giveFd(info.Env(), guarded(info.Env(), [&] { return ling::connectUnix(path); }));
}

Napi::Value AdoptListener(const CallbackInfo& info) {
  return Napi::String::New(info.Env(), guarded(info.Env(), [&] { return ling::adoptListener(fdOf(info[0])); }));
}

Napi::Value AcceptUnix(const CallbackInfo& info) {
  return giveFd(info.Env(), guarded(info.Env(), [&] { return ling::acceptUnix(fdOf(info[0])); }));
}

void SendDatagram(const CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  const Bytes bytes = bytesOf(info[1]);
  guarded(info.Env(), [&] { return ling::sendDatagram(path, bytes.data, bytes.len); });
}

Napi::Value PeerCredentials(const CallbackInfo& info) {
  const auto [uid, gid, pid] = guarded(info.Env(), [&] { return ling::peerCredentials(fdOf(info[0])); });
  auto object = Napi::Object::New(info.Env());
  object.Set("uid", uid);
  object.Set("gid", gid);
  object.Set("pid", pid);
  return object;
}

Napi::Value OpenProcess(const CallbackInfo& info) {
  const auto pid = static_cast<pid_t>(info[0].As<Napi::Number>().Int32Value());
  return giveFd(info.Env(), guarded(info.Env(), [&] { return ling::openProcess(pid); }));
}

Napi::Value LockDirectory(const CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  return giveFd(info.Env(), guarded(info.Env(), [&] { return ling::lockDirectory(path); }));
}

Napi::Value OpenLocks(const CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>();
  return giveFd(info.Env(), guarded(info.Env(), [&] { return ling::openLocks(path); }));
}

Napi::Value LockByte(const CallbackInfo& info) {
  const uint32_t offset = info[1].As<Napi::Number>();
  return Napi::Boolean::New(info.Env(), guarded(info.Env(), [&] { return ling::lockByte(fdOf(info[0]), offset); }));
}

Napi::Value IsByteLocked(const CallbackInfo& info) {
  const uint32_t offset = info[1].As<Napi::Number>();
  return Napi::Boolean::New(info.Env(), guarded(info.Env(), [&] { return ling::isByteLocked(fdOf(info[0]), offset); }));
}

Napi::Value IsAnyByteLocked(const CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), guarded(info.Env(), [&] { return ling::isAnyByteLocked(fdOf(info[0])); }));
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
  object.Set("fds", giveFds(info.Env(), received.fds));
  return object;
}

Napi::Value IsMemory(const CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), guarded(info.Env(), [&] { return ling::isMemory(fdOf(info[0])); }));
}

Napi::Value DupFd(const CallbackInfo& info) {
  return giveFd(info.Env(), guarded(info.Env(), [&] { return ling::duplicate(fdOf(info[0])); }));
}

Napi::Value CreatePipe(const CallbackInfo& info) {
  return givePair(info.Env(), guarded(info.Env(), [] { return ling::createPipe(); }));
}

Napi::Value SetNonBlocking(const CallbackInfo& info) {
  const bool on = info[1].As<Napi::Boolean>();
  Descriptors& descriptors = Environment::of(info.Env()).descriptors;
  return Napi::Boolean::New(info.Env(),
                            guarded(info.Env(), [&] { return descriptors.setNonBlocking(fdOf(info[0]), on); }));
}

Napi::Value StartProgram(const CallbackInfo& info) {
  const auto given = info[0].As<Napi::Object>();
  ling::Program program{textOf(given.Get("file")), textsOf(given.Get("args")), textsOf(given.Get("env")),
                        textOf(given.Get("cwd")), {}};
  const auto stdio = given.Get("stdio").As<Napi::Array>();
  for (uint32_t i = 0; i < stdio.Length(); i++) program.descriptors.push_back(fdOf(stdio.Get(i)));
  const int report = fdOf(given.Get("report"));
  return Napi::Number::New(info.Env(), guarded(info.Env(), [&] { return ling::startProgram(program, report); }));
}

// A system call that cannot fail.
void YieldCore(const CallbackInfo&) { sched_yield(); }

void CloseConnection(const CallbackInfo& info) {
  const ling::Fd fd = takeFd(info.Env(), fdOf(info[0]));
  ling::drain(fd.get());
}

void CloseFd(const CallbackInfo& info) { takeFd(info.Env(), fdOf(info[0])); }

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("Reactor", defineReactor(env));
  defineTubeObjects(env, exports);
  defineFunction(exports, "runReactor", runReactor);
  defineFunction(exports, "createDoorbell", CreateDoorbell);
  defineFunction(exports, "listenUnix", ListenUnix);
  defineFunction(exports, "connectUnix", ConnectUnix);
  defineFunction(exports, "adoptListener", AdoptListener);
  defineFunction(exports, "acceptUnix", AcceptUnix);
  defineFunction(exports, "peerCredentials", PeerCredentials);
  defineFunction(exports, "openProcess", OpenProcess);
  defineFunction(exports, "sendWithFds", SendWithFds);
  defineFunction(exports, "receiveWithFds", ReceiveWithFds);
  defineFunction(exports, "sendDatagram", SendDatagram);
  defineFunction(exports, "isMemory", IsMemory);
  defineFunction(exports, "dupFd", DupFd);
  defineFunction(exports, "createPipe", CreatePipe);
  defineFunction(exports, "setNonBlocking", SetNonBlocking);
  defineFunction(exports, "startProgram", StartProgram);
  defineFunction(exports, "closeFd", CloseFd);
  defineFunction(exports, "closeConnection", CloseConnection);
  defineFunction(exports, "yieldCore", YieldCore);
  defineFunction(exports, "lockDirectory", LockDirectory);
  defineFunction(exports, "openLocks", OpenLocks);
  defineFunction(exports, "lockByte", LockByte);
  defineFunction(exports, "isByteLocked", IsByteLocked);
  defineFunction(exports, "isAnyByteLocked", IsAnyByteLocked);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
