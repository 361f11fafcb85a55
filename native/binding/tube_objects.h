// The SharedPages and the TubeEnd of JavaScript.
#pragma once

#include <napi.h>

void defineTubeObjects(Napi::Env env, Napi::Object exports);
