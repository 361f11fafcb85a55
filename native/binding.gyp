{
  "targets": [
    {
      "target_name": "ling_tubes",
      "sources": [
        "binding/addon.cc", "binding/reactor_object.cc", "binding/tube_objects.cc",
        "event_loop.cc", "ling_tube.cc", "os.cc", "packed_tube.cc", "program.cc", "reactor.cc", "relief.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_CPP_EXCEPTIONS", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      # Node unloads an addon with the last worker that had loaded it, and then its event loop calls back once more.
      "ldflags": ["-Wl,-z,nodelete"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti"],
      "cflags_cc": ["-std=c++17", "-O3", "-Wall", "-Wextra", "-Wno-unused-parameter", "-fvisibility=hidden"]
    }
  ]
}
