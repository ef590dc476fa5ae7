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
std::vector<Level> levels() { return {{&kernels_neon, true}}; }
#else
// Exactly the features that the objects are compiled for and use.
std::vector<Level> levels() {
  __builtin_cpu_init();
  const bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
  const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                  __builtin_cpu_supports("f16c");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512cd");
  const bool v4x =
      v4 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
  return {{&kernels_v2, v2}, {&kernels_v3, v3}, {&kernels_v4, v4}, {&kernels_v4x, v4x}};
}
#endif

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
        "this processor has no SSE4.2, which the lowest level (v2) of rtaudio needs; use a "
        "processor made after 2011");
  }
  return *find_kernels(names.back());
}

}  // namespace rtaudio
