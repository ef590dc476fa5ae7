#include <cstdlib>
#include <stdexcept>
#include <string>

#include "kernel_test.h"

namespace rtaudio {
namespace {

class ForcedLevel {
 public:
  explicit ForcedLevel(const char* level) { setenv("RTAUDIO_CPU_ISA", level, 1); }
  ~ForcedLevel() { unsetenv("RTAUDIO_CPU_ISA"); }
};

TEST(Isa, TheHighestLevelIsChosen) {
  unsetenv("RTAUDIO_CPU_ISA");
  ASSERT_FALSE(level_names().empty());
  EXPECT_EQ(select_kernels().name, level_names().back());
}

TEST(Isa, TheEnvironmentForcesALevel) {
  for (const std::string& name : level_names()) {
    const ForcedLevel forced(name.c_str());
    EXPECT_EQ(select_kernels().name, name);
  }
}

TEST(Isa, AnUnknownLevelIsRefusedWithTheWayOut) {
  const ForcedLevel forced("v9");
  try {
    select_kernels();
    FAIL() << "no exception";
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("'v9'"), std::string::npos);
    EXPECT_NE(text.find(level_names().front()), std::string::npos);
  }
}

}  // namespace
}  // namespace rtaudio
