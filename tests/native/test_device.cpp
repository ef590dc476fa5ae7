#include <gtest/gtest.h>

#include "cuda/device.h"

namespace rtaudio {
namespace {

// Python sees the build with CUDA; this is the other one.
TEST(Device, BuildWithoutCudaSaysSo) {
  const CudaReport report = query_cuda();
  EXPECT_TRUE(report.devices.empty());
  EXPECT_EQ(report.reason, "built without CUDA");
  EXPECT_TRUE(report.runtime_version.empty());
}

}  // namespace
}  // namespace rtaudio
