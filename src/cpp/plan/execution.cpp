#include "plan/execution.h"

#include <chrono>
#include <cstring>

namespace fastcnn {

// A device's run is one order of launches and copies, the same every time that the addresses of its operands are: after
// two such runs it is recorded, and from then on asked for as a whole.
class Execution::Queue {
 public:
  explicit Queue(const Plan& plan) : runtime_(*plan.runtime_) {
    runtime_.activate();
    stream_ = runtime_.create_stream();
    for (const TensorType& type : plan.input_types_) inputs_.push_back({nullptr, type});
    for (const TensorType& type : plan.output_types_) outputs_.push_back({nullptr, type});
  }
  ~Queue() {
    forget();
    runtime_.destroy_stream(stream_);
    if (pinned_ != nullptr) runtime_.release_pinned(pinned_);
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  DeviceRuntime& runtime() const { return runtime_; }
  DeviceRuntime::Stream stream() const { return stream_; }
  std::span<const Tensor> inputs() const { return inputs_; }
  std::span<const Tensor> outputs() const { return outputs_; }

  // Makes room on the device, and beside it on the host, for operands that are not there.
  void stage() {
    if (pinned_ != nullptr) return;
    std::int64_t bytes = 0;
    for (auto* side : {&inputs_, &outputs_})
      for (const Tensor& t : *side) bytes += round_up(t.type.bytes(), kDeviceAlignment);
    staged_ = DeviceBuffer(runtime_, bytes);
    pinned_ = static_cast<char*>(runtime_.allocate_pinned(max_i64(bytes, 1)));
    char* next = static_cast<char*>(staged_.data());
    for (auto* side : {&inputs_, &outputs_})
      for (Tensor& t : *side) {
        t.data = next;
        next += round_up(t.type.bytes(), kDeviceAlignment);
      }
  }
  void upload(std::span<const Tensor> from) {
    for (std::size_t i = 0; i < from.size(); ++i) {
      const std::int64_t bytes = from[i].type.bytes();
      if (bytes == 0) continue;
      std::memcpy(pinned(inputs_[i]), from[i].data, static_cast<std::size_t>(bytes));
      runtime_.upload(inputs_[i].data, pinned(inputs_[i]), bytes, stream_);
    }
  }
  void download(std::span<const Tensor> to) {
    for (const Tensor& t : outputs_)
      if (t.type.bytes() > 0) runtime_.download(pinned(t), t.data, t.type.bytes(), stream_);
    runtime_.synchronize(stream_);
    for (std::size_t i = 0; i < to.size(); ++i)
      if (to[i].type.bytes() > 0)
        std::memcpy(to[i].data, pinned(outputs_[i]), static_cast<std::size_t>(to[i].type.bytes()));
  }

  // Asks for what `enqueue` asks for.
  template <class Enqueue>
  void repeat(std::vector<void*> addresses, const Enqueue& enqueue) {
    if (addresses != addresses_) {
      forget();
      addresses_ = std::move(addresses);
      enqueue();
      return;
    }
    if (recording_ == nullptr) {
      runtime_.begin_recording(stream_);
      try {
        enqueue();
      } catch (...) {
        runtime_.abandon_recording(stream_);
        throw;
      }
      recording_ = runtime_.end_recording(stream_);
    }
    runtime_.replay(recording_, stream_);
  }

 private:
  static constexpr std::int64_t kDeviceAlignment = 256;

  char* pinned(const Tensor& staged) const {
    return pinned_ + (static_cast<char*>(staged.data) - static_cast<char*>(staged_.data()));
  }
  void forget() {
    if (recording_ != nullptr) runtime_.destroy_recording(recording_);
    recording_ = nullptr;
  }

  DeviceRuntime& runtime_;
  DeviceRuntime::Stream stream_ = nullptr;
  std::vector<Tensor> inputs_, outputs_;
  DeviceBuffer staged_;
  char* pinned_ = nullptr;
  std::vector<void*> addresses_;  // of the last run's operands
  DeviceRuntime::Recording recording_ = nullptr;
};

Execution::Execution(const Plan& plan) : plan_(plan) {
  for (const Step& step : plan.steps_)
    for (std::size_t i = 0; i < step.types.size(); ++i)
      operands_.push_back({nullptr, step.types[i], step.locations[i].pitch});
  if (plan.runtime_ != nullptr) {
    queue_ = std::make_unique<Queue>(plan);
    device_arena_ = DeviceBuffer(*plan.runtime_, plan.arena_bytes_);
    arena_base_ = static_cast<char*>(device_arena_.data());
  } else {
    arena_ = Buffer(plan.arena_bytes_);
    arena_base_ = static_cast<char*>(arena_.data());
  }
  stored_.resize(plan.stored_.size());
}

Execution::~Execution() {
  if (queue_ == nullptr) return;
  queue_->runtime().activate();
  queue_->runtime().synchronize(queue_->stream());  // its memory is in use until then
}

void Execution::run(std::span<const Tensor> inputs, std::span<const Tensor> outputs, std::int64_t* nanoseconds) {
  if (queue_ == nullptr) {
    find_stored();
    compute(inputs, outputs, nanoseconds);
    return;
  }
  queue_->runtime().activate();
  find_stored();
  queue_->stage();
  queue_->upload(inputs);
  if (nanoseconds != nullptr)
    compute(queue_->inputs(), queue_->outputs(), nanoseconds);
  else
    queue_->repeat(stored_, [&] { compute(queue_->inputs(), queue_->outputs(), nullptr); });
  queue_->download(outputs);
}

void Execution::run_on_device(std::span<const Tensor> inputs, std::span<const Tensor> outputs,
                              DeviceRuntime::Stream stream) {
  DeviceRuntime& runtime = queue_->runtime();
  runtime.activate();
  find_stored();
  runtime.wait_for(queue_->stream(), stream);
  std::vector<void*> addresses = stored_;
  for (const auto& side : {inputs, outputs})
    for (const Tensor& t : side) addresses.push_back(t.data);
  queue_->repeat(std::move(addresses), [&] { compute(inputs, outputs, nullptr); });
  runtime.wait_for(stream, queue_->stream());
}

void Execution::find_stored() {
  for (std::size_t i = 0; i < stored_.size(); ++i)
    stored_[i] = queue_ != nullptr ? plan_.stored_[i].on(queue_->runtime()) : plan_.stored_[i].tensor().data;
}

char* Execution::address(const Location& where, std::span<const Tensor> inputs, std::span<const Tensor> outputs) const {
  void* base = nullptr;
  switch (where.place) {
    case Place::Arena: base = arena_base_; break;
    case Place::Input: base = inputs[static_cast<std::size_t>(where.index)].data; break;
    case Place::Output: base = outputs[static_cast<std::size_t>(where.index)].data; break;
    case Place::Stored: base = stored_[static_cast<std::size_t>(where.index)]; break;
  }
  return static_cast<char*>(base) + where.offset;
}

// On a device, asks its stream for the same; with `nanoseconds` it waits for every step.
void Execution::compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs, std::int64_t* nanoseconds) {
  using Clock = std::chrono::steady_clock;
  const DeviceRuntime::Stream stream = queue_ != nullptr ? queue_->stream() : nullptr;
  Tensor* operands = operands_.data();
  for (const Step& step : plan_.steps_) {
    const auto start = nanoseconds != nullptr ? Clock::now() : Clock::time_point();
    for (std::size_t i = 0; i < step.locations.size(); ++i)
      operands[i].data = address(step.locations[i], inputs, outputs);
    char* workspace = arena_base_ + step.workspace_offset;
    const Problem problem = step.problem();
    if (!step.empty) step.node.kernel->run({problem, operands, operands + step.node.inputs.size(), workspace, stream});
    operands += step.locations.size();
    if (nanoseconds == nullptr) continue;
    if (queue_ != nullptr) queue_->runtime().synchronize(stream);
    *nanoseconds++ = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
  }
  for (const Copy& copy : plan_.copies_) {
    char* const to = address(copy.to, inputs, outputs);
    const char* const from = address(copy.from, inputs, outputs);
    if (queue_ != nullptr)
      queue_->runtime().copy(to, from, copy.bytes, stream);
    else
      std::memcpy(to, from, static_cast<std::size_t>(copy.bytes));
  }
}

}  // namespace fastcnn
