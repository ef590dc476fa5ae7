// The table of CPU kernels. Arguments are plain old data, so that the files compiled per
// instruction-set level share no inline library code with the rest of the program.
//
// Numbers (the rules every kernel obeys, at every level, for every block size):
//  * A sum over K products is `bias` first, then fma in rising k. K is split into S contiguous
//    segments of ceil(K / S); segment 0 starts from the bias, the others from zero; the result is
//    p0 (S = 1), p0 + p1 (S = 2) or (p0 + p1) + (p2 + p3) (S = 4). S is fixed by the packer.
//  * Sums over channels (norms) run in 16 lanes, lane = channel % 16, then halve: lane i + lane
//    i + 8, then + 4, + 2, + 1.
//  * No contraction, no reassociation; fma only where written.
// Every level but v2 gives the same bits. v2 has no fma: a product and a sum, rounded apart.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/fft_plan.h"
#include "core/functions.h"
#include "core/platform.h"

namespace rtaudio {

// What a matrix's weights are stored in and how it is multiplied. The panels below hold for each k
// bf16: 16-bit weights, which become fp32 again exactly; sums as in fp32;
// bf16dot: pairs of k (the last may be half zero), inputs rounded to bf16 as well; S = 1 and
//   sum = fma(w[2i], x[2i], fma(w[2i + 1], x[2i + 1], sum)), denormals zero: vdpbf16ps;
// int8: quads of k, whole numbers -127..127; their sum is exact, so its order is free.
// Every format but v2's fp32 sums gives the same bits at every level.
enum class WeightFormat : std::int32_t { fp32, bf16, bf16dot, int8 };

// The deepest matrix that bf16dot and int8 take: a frame's inputs are rounded on the stack.
constexpr int kMaxDotDepth = 4096;

// Weights of a matrix [outputs, depth], packed in panels of up to 64 outputs (in_wide_panels: of
// 128 while there are as many). A panel of 16 * v outputs (the last panel may be narrower) stores
// for each k its 16 * v weights, one after the other; missing outputs are zero. The bias is padded
// to a multiple of 16.
struct PackedMatrix {
  int outputs;
  int depth;             // K = taps * inputs, k = tap * inputs + channel
  int splits;            // S in {1, 2, 4}
  const float* weights;  // 64-byte aligned; null in formats other than fp32
  const float* bias;     // 64-byte aligned, padded; never null (zeros where a layer has no bias)
  WeightFormat format = WeightFormat::fp32;
  const void* narrow = nullptr;         // the weights of the other formats
  bool in_pairs = false;                // bf16: pairs of k as in bf16dot; taps are whole pairs
  bool in_wide_panels = false;          // only if in_pairs
  const float* input_scales = nullptr;  // int8, padded: an input is the whole number near x * scale
  const float* scales = nullptr;  // int8, padded: output = scale * sum of whole products + bias
  const std::int32_t* sums = nullptr;  // int8, padded: each output's sum of weights
  float* largest_inputs = nullptr;  // where to note each input's largest |x|, on calibration runs
};

// The rows a matrix is applied to: frame t reads, for each tap, `inputs` floats from
// data + t * frame_step + tap * tap_step. Strides are in floats.
struct Rows {
  const float* data;
  std::ptrdiff_t frame_step;
  std::ptrdiff_t tap_step;
  int taps;
  int inputs;
  // matmul: what each frame's sums start from in place of the bias, as wide as that; null: the bias
  const float* const* starts = nullptr;
};

// Gates of one recurrent step, torch's order. The products W x and U h are separate sums.
struct GruStep {
  int hidden;
  const float* wx;  // [3 * stride]: r, z, n, each padded to `stride`
  const float* uh;  // likewise, with its own bias
  std::ptrdiff_t stride;
  float* state;  // h, updated in place
};
struct LstmStep {
  int hidden;
  const float* wx;  // [4 * stride]: i, f, g, o
  const float* uh;
  std::ptrdiff_t stride;
  float* hidden_state;
  float* cell_state;
};

// A norm with running moments of each channel: mean += rate * (x - mean), likewise the variance.
struct RunningNorm {
  int channels;
  float rate;
  float eps;
  const float* scale;  // padded, as bias
  const float* bias;
  float* mean;
  float* variance;
};

// The frames that a query looks at: a ring of `slots` rows, of which `frames` from `oldest` on.
struct Attention {
  int heads;
  int channels;  // of one head
  float scale;
  const float* keys;
  const float* values;
  std::ptrdiff_t row;
  int slots;
  int oldest;
  int frames;
};

// One layer of a gated stack: z = conv(x) [2 * gate], g = tanh(z[:gate]) * sigmoid(z[gate:]),
// [residual; skip] = out(g), x += residual, skip_sum += skip. `conv` has outputs
// 2 * round_up(gate, 16) (each half padded), `out` has round_up(channels, 16) + round_up(skip, 16).
// The last layer's residual is not used.
struct GatedWeights {
  // All taps but the last, where they are by themselves (conv has only the last one's weights then,
  // and no bias): S = 1. outputs = 0: conv has all taps.
  PackedMatrix older;
  PackedMatrix conv;
  PackedMatrix out;
  int dilation;
};
struct GatedLayer {
  const GatedWeights* weights;
  float* ring;  // this layer's input rows, mirrored: 2 * ring_frames rows, row i = row i + R
  // R >= (kernel_size - 1) * dilation + the frames of a call; in layers after the first 16 of
  // these frames are enough, because the stack runs in tiles of 16.
  std::int32_t ring_frames;
  // One lane: room for the sums of so many frames to come over the older taps, whose inputs are in
  // the past already: their weights are then read once for all of these. Null: nothing is summed
  // ahead.
  float* ahead = nullptr;
  int frames_ahead = 1;  // <= dilation, <= kGatedRows
};
struct GatedStack {
  const GatedLayer* layers;
  int num_layers;
  int kernel_size;
  int channels, gate_channels, skip_channels;
  std::ptrdiff_t row;  // round_up(channels, 16)
  // Calls of one frame: this is number `step` of `steps` with the same condition; but for the first
  // of them the scratch is as the one before left it.
  int step = 0;
  int steps = 1;
};
// One lane of several. The stacks differ in their rings alone; the new rows lie in the first
// layer's ring already.
struct GatedLane {
  GatedStack stack;
  std::int64_t position;
  // Other frames of the call become zero rows at the input of every layer but the first.
  int valid_begin, valid_end;
  float* skip;
  // Each frame's 2 * gate_channels values a layer that its sums start from; null: the biases.
  const float* condition = nullptr;
  std::ptrdiff_t condition_step = 0;
};
constexpr int kGatedRows = 16;  // of all lanes that go through a layer together
// Whether panels of 64 outputs are whole, so that a frame goes through a layer in registers.
RTA_HD constexpr bool has_whole_panels(int channels, int gate_channels, int skip_channels) {
  return channels % 64 == 0 && gate_channels % 64 == 0 && skip_channels % 64 == 0;
}

// One layer of a conditioned stack: z = conv(x) + condition c, h = f(z), s += skip h, x += residual
// h. The halves of a gated z are padded to 16 outputs each; all matrices are fp32.
struct ConditionedLayer {
  PackedMatrix conv;
  PackedMatrix condition;  // of depth 1, no bias
  PackedMatrix residual;
  PackedMatrix skip;  // weights null: s += h
  int kernel_size;
  int dilation;
};
struct ConditionedStack {
  const ConditionedLayer* layers;
  int num_layers;
  int channels, hidden, skip_channels;
  bool gated;
  Unary activation, gate;
  float activation_a, activation_b, gate_a, gate_b;
  bool is_whole = false;  // has_whole_tiles(), found at construction
};
// A matrix of one tap: the channels that it makes stand from `to` on, those that it reads from
// `from` on.
struct ConditionedMap {
  PackedMatrix matrix;
  int from, to;
};
// What maps, by rising `to`, make of the signal before, if there are any; then its way through a
// stack, if that has layers. Maps or stack make `width` channels.
struct ConditionedStage {
  const ConditionedMap* maps;
  int num_maps;
  ConditionedStack stack;
  int width;
};
// Stages one after the other. `outputs` channels from first_output on leave the last.
struct ConditionedNet {
  const ConditionedStage* stages;
  int num_stages;
  int inputs, outputs, first_output;
  int width;  // the most channels of a signal
};
// Rows of a call. Frames outside [valid_begin, valid_end) enter the histories as zeros. The state
// is the layers' histories one after the other, for calls of up to max_frames, *_state_floats each;
// scratch: conditioned_*_scratch_floats.
struct ConditionedCall {
  float* state;
  int max_frames;
  std::int64_t position;
  int num_frames;
  int valid_begin, valid_end;
  const float* in;
  std::ptrdiff_t in_row;
  float* out;
  std::ptrdiff_t out_row;
  float* scratch;
};
// Whether a stack has a shape of amplifiers' models, for which there are kernels without branches.
constexpr bool has_whole_tiles(const ConditionedStack& stack) {
  const bool is_plain =
      !stack.gated && stack.hidden == stack.channels && stack.skip_channels == stack.channels;
  const bool is_standard =
      stack.activation == Unary::tanh && (stack.channels == 8 || stack.channels == 16);
  if (!is_plain ||
      !(is_standard || (stack.activation == Unary::leaky_relu && stack.channels == 8))) {
    return false;
  }
  for (int l = 0; l < stack.num_layers; ++l) {
    const ConditionedLayer& layer = stack.layers[l];
    const int taps = layer.kernel_size;
    if (layer.skip.weights != nullptr) return false;
    if (is_standard ? taps != 3 : taps != 6 && taps != 15) return false;
  }
  return true;
}

// One layer of a diffusion network (rtaudio/graph/refine.py): z = in [y at each tap; condition],
// [r; s] = out (tanh(z_a) sigmoid(z_b)), h = (h + r) / sqrt(2), skips += s. Each half of z and of
// the outputs is padded to `row`, as are the inputs of every tap; both matrices have one format.
struct DiffWaveLayer {
  PackedMatrix in;   // outputs 2 * row, depth taps * row + condition_row
  PackedMatrix out;  // outputs 2 * row, depth row
  int dilation;
};
struct DiffWave {
  const DiffWaveLayer* layers;
  int num_layers;
  int taps;
  int ahead;           // taps after that of the frame itself
  std::ptrdiff_t row;  // channels, padded
  int condition_row;   // likewise
  bool halves;         // bf16dot: y, condition and gates are kept as bf16
  float skip_scale;    // of the sum of the skips
};
// What a step of a refinement remembers. Rows stand at their index (frames since the start) modulo
// the frames of a ring: h and skips, of `frames`; condition, of condition_frames, and its first
// `chunk` rows again; flags (1 for frames inside the signal), of condition_frames. y: of each layer
// one after the other the last rows it has read, or, where those are more than a chunk, a ring of
// them and `chunk` frames, and the first `chunk` rows again.
struct DiffWaveMemory {
  float* y;
  float* h;
  float* skips;
  std::int64_t frames;
  float* condition;
  const float* flags;
  std::int64_t condition_frames;
  const float* steps;  // W_e e + b of each layer, [layers][row]
  int chunk;           // the most frames that go through at once
};
constexpr int kDiffWaveChunk = 1024;  // the largest chunk: weights are read once for it
constexpr int kDiffWaveTile = 48;     // frames that go through a layer's matrices at once
constexpr int kMaxDiffWaveTaps = 7;
constexpr std::int64_t diffwave_kept_rows(int history, int chunk) {
  return history <= chunk ? history : std::int64_t{history} + 2 * chunk;
}
// Of a tile's sums and gates, and two layers' inputs.
constexpr std::size_t diffwave_scratch_floats(std::ptrdiff_t row, int chunk) {
  return static_cast<std::size_t>((kDiffWaveTile * 3 + 4 * chunk) * row);
}

struct Kernels {
  const char* name;
  // Whether one frame is multiplied fastest by wide panels; the results are the same.
  bool wide_panels;

  // y[t][o] = tree(bias[o], sum_k w[o][k] x(t, k)) for all outputs; y rows are y_step floats apart.
  // If outputs >= 16 rows of y are written to their padded width, else exactly `outputs` floats.
  void (*matmul)(const PackedMatrix& w, const Rows& x, float* y, std::ptrdiff_t y_step,
                 int num_frames);
  void (*copy_rows)(const float* x, std::ptrdiff_t x_step, float* y, std::ptrdiff_t y_step,
                    int channels, int num_frames);
  // Depthwise: y[t][c] = tree(bias[c], sum_tap w[tap][c] x[t][tap][c]), S = 1. w is [taps][row].
  void (*depthwise)(const float* w, const float* bias, int channels, const Rows& x, float* y,
                    std::ptrdiff_t y_step, int num_frames);
  // Element by element over n floats; in place allowed. Tails use the same operations, masked.
  void (*unary)(Unary function, const float* x, float* y, std::size_t n, float a, float b);
  void (*add)(const float* a, const float* b, float* y, std::size_t n);
  void (*multiply)(const float* a, const float* b, float* y, std::size_t n);
  void (*lerp)(const float* a, const float* b, float t, float* y, std::size_t n);  // fma(t, b-a, a)
  // y[c] = fma(scale[c], x[c], bias[c]); slopes: y = x > 0 ? x : slope[c] * x. Padded tables.
  void (*affine)(const float* scale, const float* bias, const float* x, float* y, int channels,
                 std::ptrdiff_t x_step, std::ptrdiff_t y_step, int num_frames);
  void (*prelu)(const float* slope, const float* x, float* y, int channels, std::ptrdiff_t x_step,
                std::ptrdiff_t y_step, int num_frames);
  // y = tanh(x[:c]) * sigmoid(x[offset:offset + c]) (glu: x[:c] * sigmoid(...)).
  void (*gate)(bool tanh_gate, const float* x, float* y, int channels, std::ptrdiff_t offset,
               std::ptrdiff_t x_step, std::ptrdiff_t y_step, int num_frames);
  // y = fma(x[2c], x[:c], x[c]): rows of [values; shifts; scales], c channels each.
  void (*modulate)(const float* x, float* y, int channels, std::ptrdiff_t x_step,
                   std::ptrdiff_t y_step, int num_frames);
  // LayerNorm over the channels of each frame: (x - mean) / sqrt(var + eps) * scale + bias.
  // Padded tables; padding columns of x are not looked at.
  void (*layer_norm)(const float* scale, const float* bias, float eps, const float* x, float* y,
                     int channels, std::ptrdiff_t x_step, std::ptrdiff_t y_step, int num_frames);
  // m = fma(1 - alpha, x - m, m); y = x - m. One frame.
  void (*mean_subtract)(float alpha, const float* x, float* mean, float* y, int channels);
  // Mean and variance over the channels of one frame; y = (x - mean) / sqrt(variance) * scale +
  // bias with given ones; the same with each channel's own running ones. Padded tables.
  void (*moments)(const float* x, int channels, float* mean, float* variance);
  void (*normalize)(const float* scale, const float* bias, float mean, float variance,
                    const float* x, float* y, int channels);
  void (*running_norm)(const RunningNorm& norm, const float* x, float* y);
  // y of each head: the values weighted by softmax(scale * query . key), oldest first. scores:
  // scratch of as many floats as frames.
  void (*attention)(const Attention& attention, const float* query, float* y, float* scores);
  void (*gru)(const GruStep& step);
  void (*lstm)(const LstmStep& step);
  // num_frames new rows of up to kGatedRows lanes, all conditioned or none: each layer's weights
  // are read once for all of them. The rows lie in layer 0's rings at `position` % R (already
  // mirrored); the rings of the other layers are written here. skip is set to the sum of the skips,
  // in the order of the layers. scratch: see gated_stack_scratch_floats.
  void (*gated_stack)(const GatedLane* lanes, int num_lanes, int num_frames,
                      std::ptrdiff_t skip_step, float* scratch);
  // Stacks work on signals [x; c; s] of channels, 1 and skip_channels; c stays as it is. Time in
  // lanes (planes) or channels in lanes (rows): the same bits, another state.
  void (*conditioned_planes)(const ConditionedNet& net, const ConditionedCall& call);
  void (*conditioned_rows)(const ConditionedNet& net, const ConditionedCall& call);
  // Rows h of frames `index` on, after the network's first layer, through all layers; skips: the
  // sum for as many frames from index - ahead * (sum of the dilations) on. Both have rows of `row`.
  void (*diffwave)(const DiffWave& net, const DiffWaveMemory& memory, std::int64_t index,
                   int num_frames, const float* h, float* skips, float* scratch);
  // The condition of frames `index` on, whose flags are there already.
  void (*diffwave_condition)(const DiffWave& net, const DiffWaveMemory& memory, std::int64_t index,
                             const float* x, std::ptrdiff_t x_step, int channels, int num_frames);
  // Real FFT: in[n] -> re[n/2+1], im[n/2+1], unscaled. inverse: re, im -> out[n], unscaled
  // (n times the inverse DFT). scratch: fft_scratch_floats(n) floats. in may not alias outputs.
  void (*rfft)(const FftPlan& plan, const float* in, float* re, float* im, float* scratch);
  void (*irfft)(const FftPlan& plan, const float* re, const float* im, float* out, float* scratch);
  // Complex rows, all real parts first: [re(0..bins), im(0..bins)].
  void (*complex_power)(const float* re, const float* im, float* y, int bins);  // re^2 + im^2
  // y = x * (re^2 + im^2 + eps)^((exponent - 1) / 2)
  void (*complex_compress)(const float* re, const float* im, float* yre, float* yim, int bins,
                           float exponent, float eps);
  // Deep filter of one frame: y = sum_tap coef[tap] * x[tap] (complex), taps oldest first, tap i
  // at x + i * x_step; coef rows: [tap][re(bins), im(bins)].
  void (*deep_filter)(const float* coefficients, const float* x, std::ptrdiff_t x_step,
                      std::ptrdiff_t x_im_offset, int taps, int bins, float* yre, float* yim);
  // What this level does at best, to measure kernels against. multiply_adds: so many rounds of the
  // format's products and sums in registers alone; returns how many there were. read_floats: every
  // float once. `sum`: 16 floats, so that there is a result.
  std::int64_t (*multiply_adds)(WeightFormat format, std::int64_t rounds, float* sum);
  void (*read_floats)(const float* data, std::size_t count, float* sum);
};

// Each level is compiled for its own architecture alone: v2 to v4x for x86-64, neon for aarch64.
// v4x is v4 with VNNI and BF16.
extern const Kernels kernels_v2;
extern const Kernels kernels_v3;
extern const Kernels kernels_v4;
extern const Kernels kernels_v4x;
extern const Kernels kernels_neon;

constexpr std::size_t kFrameTableFloats = 2048;  // where a frame's addresses are kept
// Scratch may have any alignment; 64 bytes is fastest.
constexpr std::size_t gated_stack_scratch_floats(int kernel, int channels, int gate) {
  auto up = [](int n) { return static_cast<std::size_t>((n + 15) / 16 * 16); };
  return kGatedRows * (up(kernel * channels) + 5 * up(gate)) + kFrameTableFloats;
}

// A history as planes, one a channel: kPlanePad floats, R frames in a ring, the first kPlanePad of
// them again, kPlanePad floats. A plane is an odd number of cache lines, so that the channels of a
// frame do not share a few sets of the cache.
constexpr int kPlaneChunk = 64;  // the most frames that planes take through a layer at once
constexpr int kPlanePad = 32;    // and through a tile
constexpr int plane_ring_frames(int history, int max_frames) {
  const int most = max_frames < kPlaneChunk ? max_frames : kPlaneChunk;
  const int frames = (history + 15) / 16 * 16 + (most + 15) / 16 * 16;
  return frames < kPlanePad ? kPlanePad : frames;
}
constexpr std::int32_t plane_floats(int ring_frames) {
  return ((ring_frames + 3 * kPlanePad) / 16 | 1) * 16;
}
// The deepest matrix that planes take (offsets stand on the stack); their histories have less than
// 2^31 floats.
constexpr int kMaxPlaneDepth = 1024;
constexpr int kMaxMapDepth = 64;  // of a map between stacks
constexpr std::size_t plane_state_floats(int channels, int history, int max_frames) {
  return static_cast<std::size_t>(channels) *
         static_cast<std::size_t>(plane_floats(plane_ring_frames(history, max_frames)));
}
// A history as rows of round_up(channels, 16): R frames in a ring, the same R again.
constexpr int kTileFrames = 16;  // the most frames that rows take through a layer at once
constexpr int row_ring_frames(int history, int max_frames) {
  return history + (max_frames < kTileFrames ? max_frames : kTileFrames);
}
constexpr std::size_t row_state_floats(int channels, int history, int max_frames) {
  return static_cast<std::size_t>(2 * row_ring_frames(history, max_frames)) *
         static_cast<std::size_t>((channels + 15) / 16 * 16);
}
// Two signals, and what a stack needs beside them.
constexpr std::size_t conditioned_planes_scratch_floats(const ConditionedNet& net) {
  int most = 0;
  for (int i = 0; i < net.num_stages; ++i) {
    const ConditionedStack& stack = net.stages[i].stack;
    const int wide = stack.hidden * (stack.gated ? 2 : 1);
    most = wide > most ? wide : most;
  }
  return static_cast<std::size_t>(net.width) * 2 * kPlaneChunk +
         static_cast<std::size_t>(most) * kPlanePad;
}
// Rows are as long as matmul may write from any channel on.
constexpr std::size_t conditioned_row(const ConditionedNet& net) {
  return static_cast<std::size_t>((net.width + 31) / 16 * 16);
}
constexpr std::size_t conditioned_rows_scratch_floats(const ConditionedNet& net) {
  auto up = [](int n) { return static_cast<std::size_t>((n + 15) / 16 * 16); };
  std::size_t most = 0;
  for (int i = 0; i < net.num_stages; ++i) {
    const ConditionedStack& s = net.stages[i].stack;
    const std::size_t each =
        2 * up(s.channels) + 2 * up(s.skip_channels) + up(s.hidden) * (s.gated ? 2 : 1);
    most = each > most ? each : most;
  }
  return kTileFrames * (2 * conditioned_row(net) + most);
}
constexpr std::size_t fft_scratch_floats(int n) { return 6 * static_cast<std::size_t>(n) + 8192; }

}  // namespace rtaudio
