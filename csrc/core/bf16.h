// bf16 is the upper half of fp32.
#pragma once

#include "core/vecmath.h"

namespace rtaudio {

// Rounded to the nearest, ties to even.
RTA_HD std::uint16_t to_bf16(float x) {
  const std::uint32_t bits = as_int(x);
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

RTA_HD float from_bf16(std::uint16_t x) { return as_float(std::uint32_t{x} << 16); }

}  // namespace rtaudio
