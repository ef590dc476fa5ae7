#include "cpu/isa.h"

#include <cstdlib>
#include <stdexcept>

namespace rtaudio {
namespace {

struct Level {
  const Kernels* kernels;
  bool supported;
};

#if defined(__aarch64__)
bool supports_neon() { return true; }
#else
// Exactly the features that the objects are compiled for and use.
bool supports_v2() { return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"); }
[[maybe_unused]] bool supports_v3() {
  return supports_v2() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("f16c");
}
[[maybe_unused]] bool supports_v4() {
  return supports_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512cd");
}
[[maybe_unused]] bool supports_v4x() {
  return supports_v4() && __builtin_cpu_supports("avx512vnni") &&
         __builtin_cpu_supports("avx512bf16");
}
#endif

// Those this build has, the best last: X(v2)X(v3).. from CMakeLists.txt.
std::vector<Level> levels() {
#if !defined(__aarch64__)
  __builtin_cpu_init();
#endif
#define X(level) Level{&kernels_##level, supports_##level()},
  return {RTAUDIO_LEVELS};
#undef X
}

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

}  // namespace

std::vector<std::string> level_names() {
  std::vector<std::string> names;
  for (const Level& level : levels()) {
    if (level.supported) names.emplace_back(level.kernels->name);
  }
  return names;
}

const Kernels* find_kernels(std::string_view name) {
  for (const Level& level : levels()) {
    if (level.supported && name == level.kernels->name) return level.kernels;
  }
  return nullptr;
}

const Kernels& select_kernels() {
  const std::vector<std::string> names = level_names();
  const char* forced = std::getenv("RTAUDIO_CPU_ISA");
  const bool is_forced = forced != nullptr && *forced != '\0';
  if (is_forced) {
    if (const Kernels* kernels = find_kernels(forced)) return *kernels;
    throw std::runtime_error("RTAUDIO_CPU_ISA is '" + std::string(forced) +
                             "', but the levels this processor can run are: " + join(names) +
                             "; set one of them or unset the variable");
  }
  if (names.empty()) {
    throw std::runtime_error(
        "this processor can run none of the levels that this build of rtaudio has; the lowest of "
        "a full build (v2) needs SSE4.2, which processors have since 2011");
  }
  return *find_kernels(names.back());
}

}  // namespace rtaudio
