// Compiled once per level, with -DRTAUDIO_ISA=v3 (or v2, v4, v4x, neon). Everything but the table
// is in anonymous namespaces and no inline function of the standard library is used: the linker may
// keep any one copy of a shared inline function, and that copy could hold instructions a processor
// lacks.
#include "cpu/kernels.h"

#include "core/cells.h"
#include "core/fft_butterfly.h"
#include "core/moments.h"
#include "core/sum_tree.h"
#include "cpu/simd.h"

namespace rtaudio {
namespace {

RTA_HD std::ptrdiff_t padded(std::ptrdiff_t n, int multiple = kLanes) {
  return (n + multiple - 1) / multiple * multiple;
}
RTA_HD std::ptrdiff_t padded_row(int channels) {
  return channels < kLanes ? channels : padded(channels);
}

#include "cpu/elementwise.inl"
#include "cpu/fft.inl"
#include "cpu/matmul.inl"

#include "cpu/dot.inl"
#include "cpu/recurrent.inl"

// These use the ones above.
#include "cpu/cumulative.inl"
#include "cpu/gated_frame.inl"
#include "cpu/gated_stack.inl"
#include "cpu/planes.inl"

#include "cpu/conditioned_frame.inl"
#include "cpu/conditioned_whole.inl"

#include "cpu/conditioned_planes.inl"
#include "cpu/conditioned_rows.inl"
#include "cpu/diffwave.inl"
#include "cpu/probe.inl"

#define RTA_STRING_(x) #x
#define RTA_STRING(x) RTA_STRING_(x)

}  // namespace

const Kernels RTA_CONCAT(kernels_, RTAUDIO_ISA) = {
    RTA_STRING(RTAUDIO_ISA),
    kWide,
    matmul,
    copy_rows,
    depthwise,
    unary,
    add,
    multiply,
    lerp,
    affine,
    prelu,
    gate,
    modulate,
    layer_norm,
    mean_subtract,
    moments,
    normalize,
    running_norm,
    attention,
    gru,
    lstm,
    gated_stack,
    conditioned_planes,
    conditioned_rows,
    diffwave,
    diffwave_condition,
    rfft,
    irfft,
    complex_power,
    complex_compress,
    deep_filter,
    multiply_adds,
    read_floats,
};

}  // namespace rtaudio
