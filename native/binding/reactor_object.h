// The Reactor of JavaScript.
#pragma once

#include <memory>

#include <napi.h>

#include "../reactor.h"
#include "../relief.h"

Napi::Function defineReactor(Napi::Env env);

// Throws BadInput when it has been stopped.
std::shared_ptr<ling::Reactor> reactorOf(const Napi::Value& object);
// Null where none has been started.
std::shared_ptr<ling::Relief> reliefOf(const Napi::Value& object);

// runReactor(number): what the reactor's thread does until it is stopped.
Napi::Value runReactor(const Napi::CallbackInfo& info);
