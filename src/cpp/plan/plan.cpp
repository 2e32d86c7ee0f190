#include "plan/plan.h"

#include <chrono>
#include <cstring>
#include <unordered_set>

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

Plan::Execution::Execution(const Plan& plan) : arena(plan.arena_bytes_) {
  for (const Step& step : plan.steps_)
    for (std::size_t i = 0; i < step.types.size(); ++i)
      operands.push_back({nullptr, step.types[i], step.locations[i].pitch});
}

std::unique_ptr<Plan::Execution> Plan::take_execution() const {
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

char* Plan::address(const Location& where, const Execution& execution, std::span<const Tensor> inputs,
                    std::span<const Tensor> outputs) const {
  void* base = nullptr;
  switch (where.place) {
    case Place::Arena: base = execution.arena.data(); break;
    case Place::Input: base = inputs[static_cast<std::size_t>(where.index)].data; break;
    case Place::Output: base = outputs[static_cast<std::size_t>(where.index)].data; break;
    case Place::Stored: base = stored_[static_cast<std::size_t>(where.index)].tensor.data; break;
  }
  return static_cast<char*>(base) + where.offset;
}

void Plan::run(std::span<const Tensor> inputs, std::span<const Tensor> outputs, std::int64_t* nanoseconds) const {
  using Clock = std::chrono::steady_clock;
  std::unique_lock<std::mutex> updating(updating_, std::defer_lock);
  if (!updated_.empty()) updating.lock();
  std::unique_ptr<Execution> execution = take_execution();
  Tensor* operands = execution->operands.data();
  for (const Step& step : steps_) {
    const auto start = nanoseconds != nullptr ? Clock::now() : Clock::time_point();
    for (std::size_t i = 0; i < step.locations.size(); ++i)
      operands[i].data = address(step.locations[i], *execution, inputs, outputs);
    char* workspace = static_cast<char*>(execution->arena.data()) + step.workspace_offset;
    const Problem problem = step.problem();
    if (!step.empty) step.node.kernel->run({problem, operands, operands + step.node.inputs.size(), workspace});
    operands += step.locations.size();
    if (nanoseconds != nullptr)
      *nanoseconds++ = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
  }
  for (const Copy& copy : copies_)
    std::memcpy(address(copy.to, *execution, inputs, outputs), address(copy.from, *execution, inputs, outputs),
                static_cast<std::size_t>(copy.bytes));
  for (const auto& variable : updated_) variable->note_change();
  const std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(execution));
}

bool Plan::is_stale() const {
  for (const auto& [variable, version] : frozen_)
    if (variable->version() != version) return true;
  return false;
}

std::int64_t Plan::constant_bytes() const {
  std::unordered_set<const void*> counted;  // layers called twice read the same packed weights
  std::int64_t total = 0;
  for (const StoredTensor& c : stored_)
    if (counted.insert(c.tensor.data).second) total += c.tensor.type.bytes();
  return total;
}

}  // namespace fastcnn
