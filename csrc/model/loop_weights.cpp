#include "model/loop_weights.h"

#include <stdexcept>

#include "cpu/kernels.h"
#include "model/head.h"

namespace rtaudio {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("a GPU runs loops of one WaveNet stack: this one " + what +
                              "; run it with --device cpu");
}

// Walks the body's operations in order.
class Reader {
 public:
  explicit Reader(const LayerContext& feedback)
      : feedback_(feedback),
        count_(feedback.integer("operations", 0, 1 << 20)),
        source_(feedback.integer("source", 0, 1 << 20)) {}

  wavenet::Weights read() {
    wavenet::Weights net;
    read_head(net);
    condition_ = feedback_.input().channels - (feedback_.integer("mode", 0, 3) >= 2 ? 1 : 0);
    read_input(net);
    read_stack(net);
    while (at_ < count_) read_matrix(net);
    if (net.matrices.empty()) refuse("has no matrix behind its skips");
    if (x_ != feedback_.integer("result", 0, 1 << 20)) refuse("has another result");
    return net;
  }

 private:
  LayerContext next(const char* kind) {
    if (at_ == count_) refuse("ends too early");
    LayerContext context = feedback_.at(feedback_.index() + ++at_);
    if (context.spec().kind != kind) refuse("has a " + context.spec().kind + " in its body");
    return context;
  }
  bool next_is(const char* kind) const {
    return at_ < count_ && feedback_.at(feedback_.index() + at_ + 1).spec().kind == kind;
  }
  // Takes the only input, which must be `buffer`, and says what the output is.
  int follow(const LayerContext& context, int buffer) const {
    if (context.num_inputs() != 1 || context.spec().inputs[0] != buffer) {
      refuse("has branches where a WaveNet has none");
    }
    return context.spec().output;
  }
  int channels(const LayerContext& context, int begin, int end) const {
    if (context.integer("begin", 0, 1 << 24) != begin ||
        context.integer("end", 0, 1 << 24) != end) {
      refuse("splits its input in another way");
    }
    return follow(context, source_);
  }

  void read_head(wavenet::Weights& net) const {
    net.softmax = feedback_.integer("softmax", 0, 1) == 1;
    if (!net.softmax) {
      net.mixture = mixture_of(feedback_);
      net.width = net.mixture.values;
      return;
    }
    net.codes = softmax_of(feedback_);
    net.codes.decode = feedback_.tensor("decode", {net.codes.levels});
  }

  // [x; condition] from [condition; value before].
  void read_input(wavenet::Weights& net) {
    int before = channels(next("channels"), condition_, condition_ + net.width);
    if (next_is("embedding")) {
      const LayerContext context = next("embedding");
      net.levels = context.integer("levels", 1, 1 << 16);
      net.embedding = context.tensor("weight", {context.output().channels, net.levels});
      before = follow(context, before);
    } else {
      const LayerContext context = next("conv1d");
      before = follow(context, before);
      const wavenet::Weights::Matrix matrix = matrix_of(net, context, net.width);
      net.embedding = matrix.weight;
      net.embedding_bias = matrix.bias;
    }
    const int condition = channels(next("channels"), 0, condition_);
    const LayerContext joined = next("cat");
    if (joined.spec().inputs != std::vector<int>{before, condition}) {
      refuse("joins its input in another way");
    }
    x_ = joined.spec().output;
  }

  void read_stack(wavenet::Weights& net) {
    const LayerContext context = next("conditioned_gated_stack");
    x_ = follow(context, x_);
    net.channels = context.integer("channels", 1, 1 << 16);
    net.gate = context.integer("gate_channels", 1, 1 << 15);
    net.skip = context.integer("skip_channels", 1, 1 << 16);
    net.kernel = context.integer("kernel", 1, 4096);
    const int layers = context.integer("num_layers", 1, 1024);
    if (condition_ != 2 * net.gate * layers) refuse("gives its layers another condition");
    for (int i = 0; i < layers; ++i) {
      const std::string path = "layers." + std::to_string(i) + ".";
      take_format(net, context, path + "conv.weight", net.channels);
      take_format(net, context, path + "out.weight", net.gate);
      net.layers.push_back(
          {context.integer("dilation." + std::to_string(i), 1, (1 << 20) / net.kernel),
           context.tensor(path + "conv.weight", {2 * net.gate, net.channels, net.kernel}),
           context.tensor(path + "out.weight", {net.channels + net.skip, net.gate, 1}),
           context.tensor(path + "out.bias", {net.channels + net.skip})});
    }
    depth_ = net.skip;
  }

  void read_matrix(wavenet::Weights& net) {
    const LayerContext relu = next("unary");
    if (relu.integer("function", 0, 100) != static_cast<int>(Unary::relu)) {
      refuse("has another function than relu behind its skips");
    }
    x_ = follow(relu, x_);
    const LayerContext context = next("conv1d");
    x_ = follow(context, x_);
    net.matrices.push_back(matrix_of(net, context, depth_));
    depth_ = net.matrices.back().rows;
  }

  wavenet::Weights::Matrix matrix_of(wavenet::Weights& net, const LayerContext& context,
                                     int inputs) {
    if (context.integer("kernel", 1, 1 << 20) != 1 || context.integer("groups", 1, 1 << 16) != 1) {
      refuse("has a convolution outside its stack");
    }
    const int rows = context.output().channels;
    take_format(net, context, "weight", inputs);
    return {rows, context.tensor("weight", {rows, inputs, 1}),
            context.optional_tensor("bias", {rows})};
  }

  // One format for all matrices.
  void take_format(wavenet::Weights& net, const LayerContext& context, const std::string& slot,
                   int inputs) {
    const WeightFormat format = context.format(slot, inputs).format;
    if (format == WeightFormat::int8) refuse("is in int8");
    const bool dot = format == WeightFormat::bf16dot, halves = format != WeightFormat::fp32;
    if (dot && context.device() == Device::cuda_strict) refuse("is in bf16dot, in the CPU's order");
    if (known_ && (halves != net.halves || dot != net.dot)) refuse("has matrices in two formats");
    net.halves = halves;
    net.dot = dot;
    known_ = true;
  }

  const LayerContext& feedback_;
  int count_;
  int source_;
  int condition_ = 0;
  int at_ = 0;
  int x_ = 0;  // the buffer so far
  int depth_ = 0;
  bool known_ = false;  // the format
};

}  // namespace

wavenet::Weights loop_weights(const LayerContext& feedback) { return Reader(feedback).read(); }

bool has_wavenet(const LayerContext& feedback) {
  try {
    loop_weights(feedback);
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

}  // namespace rtaudio
