#include "plan/plan.h"

#include <algorithm>
#include <unordered_set>

#include "ops/epilogue_attrs.h"
#include "ops/rooms.h"
#include "plan/execution.h"

namespace fastcnn {

std::shared_ptr<const Constant> ConstantCache::find(const std::string& key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto it = constants_.find(key);
  return it != constants_.end() ? it->second.lock() : nullptr;
}

void ConstantCache::insert(const std::shared_ptr<const Constant>& constant) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(constants_, [](const auto& entry) { return entry.second.expired(); });
  constants_[constant->key] = constant;
}

std::int64_t ConstantCache::bytes() {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::int64_t total = 0;
  for (const auto& [key, weak] : constants_)
    if (const auto constant = weak.lock()) total += constant->buffer.bytes();
  return total;
}

Problem Step::problem() const {
  const std::size_t inputs = node.inputs.size();
  return {node.params, types.data(), types.data() + inputs, static_cast<int>(inputs),
          static_cast<int>(types.size() - inputs)};
}

Precision Step::precision() const {
  const bool bf16 =
      std::any_of(types.begin(), types.end(), [](const TensorType& type) { return type.dtype == DType::BF16; });
  return bf16 ? std::max(node.kernel->precision, Precision::Medium) : node.kernel->precision;
}

std::vector<std::string> Step::notes() const {
  std::vector<std::string> notes;
  if (node.op->epilogue != nullptr) {
    Params params = node.params;
    const Epilogue& epilogue = node.op->epilogue(params);
    if (epilogue.bias) notes.emplace_back("bias");
    if (epilogue.residual) notes.emplace_back("add");
    if (epilogue.activation != Activation::Linear) notes.emplace_back(activation_name(epilogue.activation));
  }
  if (node.op == &concat_op && bytes == 0) notes.emplace_back("in place");
  return notes;
}

Plan::Plan() = default;
Plan::~Plan() = default;

std::unique_ptr<Execution> Plan::take_execution() const {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Execution> execution = std::move(idle_.back());
      idle_.pop_back();
      return execution;
    }
  }
  return std::make_unique<Execution>(*this);
}

void Plan::give_back(std::unique_ptr<Execution> execution) const {
  for (const auto& variable : updated_) runtime_ != nullptr ? variable->note_device_change() : variable->note_change();
  const std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(execution));
}

void Plan::run(std::span<const Tensor> inputs, std::span<const Tensor> outputs, std::int64_t* nanoseconds) const {
  std::unique_lock<std::mutex> updating(updating_, std::defer_lock);
  if (!updated_.empty()) updating.lock();
  std::unique_ptr<Execution> execution = take_execution();
  execution->run(inputs, outputs, nanoseconds);
  give_back(std::move(execution));
}

void Plan::run_on_device(std::span<const Tensor> inputs, std::span<const Tensor> outputs,
                         DeviceRuntime::Stream stream) const {
  require(runtime_ != nullptr, ErrorKind::Config, "plan: it runs on the CPU and takes arrays of the host");
  std::unique_lock<std::mutex> updating(updating_, std::defer_lock);
  if (!updated_.empty()) updating.lock();
  std::unique_ptr<Execution> execution = take_execution();
  execution->run_on_device(inputs, outputs, stream);
  give_back(std::move(execution));
}

bool Plan::is_stale() const {
  for (const auto& [variable, version] : frozen_)
    if (variable->version() != version) return true;
  return false;
}

std::int64_t Plan::constant_bytes() const {
  std::unordered_set<const void*> counted;  // layers called twice read the same packed weights
  std::int64_t total = 0;
  for (const StoredTensor& stored : stored_)
    if (const Tensor t = stored.tensor(); counted.insert(t.data).second) total += t.type.bytes();
  return total;
}

}  // namespace fastcnn
