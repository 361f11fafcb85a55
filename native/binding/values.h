// What JavaScript hands over as the core takes it, and the other way round; the core's exceptions as JavaScript's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <napi.h>

#include "../os.h"

inline std::string errnoName(int error) {
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

inline uint32_t u32(const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); }
inline int fdOf(const Napi::Value& value) { return value.As<Napi::Number>().Int32Value(); }

struct Bytes {
  uint8_t* data;
  size_t len;
};

inline Bytes bytesOf(const Napi::Value& value) {
  auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ByteLength()};
}

inline std::vector<uint32_t> numbersOf(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<uint32_t> numbers(array.Length());
  for (uint32_t i = 0; i < numbers.size(); i++) numbers[i] = u32(array.Get(i));
  return numbers;
}

inline Napi::Array toArray(Napi::Env env, const std::vector<uint32_t>& numbers) {
  auto array = Napi::Array::New(env, numbers.size());
  for (uint32_t i = 0; i < numbers.size(); i++) array.Set(i, numbers[i]);
  return array;
}

template <typename Function>
void defineFunction(Napi::Object exports, const char* name, Function function) {
  exports.Set(name, Napi::Function::New(exports.Env(), function, name));
}
